#pragma once

#include <functional>
#include <string>

#include <benchmark/benchmark.h>

namespace bench {

/// Registers a row under a name of key=value parts joined by slashes. Times are wall-clock.
benchmark::internal::Benchmark* add_row(const std::string& name,
                                        std::function<void(benchmark::State&)> body);

// The rows, a file each.
void add_peaks();        ///< peak/…: what the machine can do
void add_pieces();       ///< piece/…: what parts of a step take, alone
void add_latent_4x64();  ///< latent-4x64/…: the reference workload
void add_errors();       ///< error/…: its distance from the reference engine
void add_digits();       ///< digits/…: training the demo's model
void add_lorenz();       ///< lorenz/…: training a model of series
void add_sweeps(bool all);  ///< shape/… and size/…: one axis at a time; grid/…: every combination

void add_gpu();  ///< gpu/…: the CUDA engine, where there is a device

void add_gpu_training();  ///< gpu/of=digits/…: one training step of the demo

/// Compiles the kernels of all gpu/… rows into the cache, side by side.
void compile_gpu_rows();

}  // namespace bench
