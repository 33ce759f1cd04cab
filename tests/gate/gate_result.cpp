#include "gate/gate_result.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>

#include <ito/error.hpp>

#include "cuda/kernel_compiler.hpp"
#include "gate/nvdisasm.hpp"
#include "gate/occupancy.hpp"

namespace ito::cuda {
namespace {

void read_resources(GateResult& result, const std::string& log) {
  KernelResources& worst = result.resources;
  for (const KernelResources& one : read_ptxas_log(log)) {
    const std::string& kernel = result.compilation.kernel;
    if (!kernel.empty() && one.kernel != kernel) continue;
    worst.registers = std::max(worst.registers, one.registers);
    worst.stack = std::max(worst.stack, one.stack);
    worst.spill_stores = std::max(worst.spill_stores, one.spill_stores);
    worst.spill_loads = std::max(worst.spill_loads, one.spill_loads);
    worst.shared_memory = std::max(worst.shared_memory, one.shared_memory);
  }
  if (worst.registers == 0) throw Error("ptxas has not reported on " + result.compilation.label);
}

void read_code(GateResult& result, const std::string& sass) {
  const Compilation& job = result.compilation;
  for (const SassFunction& function : read_sass(sass)) {
    if (!job.kernel.empty() && function.name != job.kernel) continue;
    result.code_bytes += function.code_bytes();
    if (job.tile_steps > 0) result.loop = count_time_loop(function, job.trips, job.least_fmas);
  }
  if (result.code_bytes == 0) throw Error("nvdisasm has shown no code of " + job.label);
}

void write(const std::string& folder, const std::string& label, const char* extension,
           const std::string& content) {
  std::string name = label;
  for (char& c : name)
    if (c == ' ' || c == ',') c = '_';
  std::filesystem::create_directories(folder);
  std::ofstream(std::filesystem::path(folder) / (name + extension), std::ios::binary) << content;
}

}  // namespace

int GateResult::resident_warps() const {
  if (compilation.warps == 0 || resources.registers == 0) return 0;
  return cuda::resident_warps(compilation.target.compute_capability, resources.registers,
                              shared_bytes(), compilation.warps);
}

double GateResult::instructions() const {
  return loop ? loop->main.total() / compilation.tile_steps : 0;
}

bench::GpuLimit GateResult::mix_limit() const {
  if (!loop) return {};
  // A warp's instruction is 32 of threads, for 16 paths.
  const double a_path = 32 / 16.0 / compilation.tile_steps;
  const bench::GpuUse use{.special = a_path * loop->main[PipeKind::special],
                          .instructions = a_path * loop->main.total(),
                          .tensor = loop->main.warpgroup_fmas / 16 / compilation.tile_steps,
                          .mma = loop->main.warp_fmas / 16 / compilation.tile_steps};
  return bench::limit(use, bench::rates_of(compilation.target.compute_capability, 0), 1);
}

bench::GpuLimit GateResult::model_limit() const {
  if (!loop) return {};
  return bench::limit(bench::use_of(compilation.work),
                      bench::rates_of(compilation.target.compute_capability, 0), 1);
}

bool GateResult::in_registers() const {
  return resources.stack + resources.spill_stores + resources.spill_loads == 0;
}

bool GateResult::within_local_memory() const {
  return compilation.most_spilled < 0 ||
         (resources.spill_stores + resources.spill_loads <= compilation.most_spilled &&
          (compilation.most_spilled > 0 || resources.stack == 0));
}

bool GateResult::within_bound() const {
  return compilation.most_instructions == 0 || instructions() <= compilation.most_instructions;
}

bool GateResult::passes() const { return error.empty() && within_local_memory() && within_bound(); }

std::string GateResult::verdict() const {
  if (!error.empty()) return "FAILS: " + error;
  if (!within_local_memory()) return "FAILS: local memory";
  if (!within_bound()) {
    return fmt::format("FAILS: {:.0f} instructions, at most {:.0f}", instructions(),
                       compilation.most_instructions);
  }
  return in_registers() ? "" : "local memory";
}

GateResult compile(const Compilation& compilation, const std::string& keep) {
  GateResult result;
  result.compilation = compilation;
  auto options = kernel_options(compilation.architecture());
  options.emplace_back("--ptxas-options=-v");
  const auto begin = std::chrono::steady_clock::now();
  try {
    const auto [cubin, log] =
        Nvrtc::instance().compile(compilation.source, kernel_headers(), options);
    read_resources(result, log);
    const std::string sass = disassemble(cubin);
    if (!keep.empty()) {
      write(keep, compilation.label, ".cubin", cubin);
      write(keep, compilation.label, ".sass", sass);
    }
    read_code(result, sass);
  } catch (const std::exception& error) {
    result.error = error.what();
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return result;
}

}  // namespace ito::cuda
