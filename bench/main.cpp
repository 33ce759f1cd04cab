#include <algorithm>
#include <iostream>
#include <string_view>

#include <ito/ito.hpp>

#include "rows.hpp"

namespace bench {

benchmark::internal::Benchmark* add_row(const std::string& name,
                                        std::function<void(benchmark::State&)> body) {
  return benchmark::RegisterBenchmark(name.c_str(), std::move(body))
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
}

}  // namespace bench

namespace {

/// Whether `option` is among the arguments, from which it is taken.
bool take(std::string_view option, int& argc, char** argv) {
  char** const end = std::remove(argv, argv + argc, option);
  const bool found = end != argv + argc;
  argc = static_cast<int>(end - argv);
  return found;
}

}  // namespace

/// Google Benchmark's options, --full for rows that take long, and --compile to do nothing but
/// compile the kernels of the rows of the GPU.
int main(int argc, char** argv) {
  const bool full = take("--full", argc, argv);
  if (take("--compile", argc, argv)) {
    try {
      bench::compile_gpu_rows();
      return 0;
    } catch (const ito::Error& error) {
      std::cerr << "ito_bench: " << error.what() << '\n';
      return 1;
    }
  }
  bench::add_peaks();
  bench::add_pieces();
  bench::add_latent_4x64();
  bench::add_errors();
  bench::add_digits();
  bench::add_lorenz();
  bench::add_sweeps(full);
  bench::add_gpu();
  bench::add_gpu_training();
  benchmark::AddCustomContext("instruction_set", ito::cpu_instruction_set());
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
