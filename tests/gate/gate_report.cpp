#include "gate/gate_report.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ito::cuda {
namespace {

double kibibytes(const GateResult& result) {
  return static_cast<double>(result.shared_bytes()) / 1024;
}

std::string or_dash(double value) { return value > 0 ? fmt::format("{:.0f}", value) : "-"; }

}  // namespace

void print_heading() {
  fmt::print("{:<44} {:>9} {:>6} {:>6} {:>11} {:>6} {:>9} {:>12} {:>7}\n", "kernel", "registers",
             "stack", "spills", "shared KiB", "warps", "code KiB", "instructions", "s");
}

void print_row(const GateResult& result) {
  const KernelResources& r = result.resources;
  fmt::print("{:<44} {:>9} {:>6} {:>6} {:>11.1f} {:>6} {:>9.1f} {:>12} {:>7.1f}  {}\n",
             result.compilation.label, r.registers, r.stack, r.spill_stores + r.spill_loads,
             kibibytes(result), or_dash(result.resident_warps()),
             static_cast<double>(result.code_bytes) / 1024, or_dash(result.instructions()),
             result.seconds, result.verdict());
}

void print_loop(const GateResult& result) {
  if (!result.loop) return;
  const TimeLoop& loop = *result.loop;
  const double tiles = result.compilation.tile_steps;
  fmt::print("  time loop {:#x} to {:#x}; for 16 paths and a step, and what branches jump over:\n",
             loop.begin, loop.end);
  for (std::size_t i = 0; i < pipe_kind_count; ++i) {
    const auto kind = static_cast<PipeKind>(i);
    fmt::print("    {:<12} {:>8.1f} {:>8.1f}\n", name(kind), loop.main[kind] / tiles,
               loop.skipped[kind] / tiles);
  }
  fmt::print("    {:<12} {:>8.1f} {:>8.1f}\n", "all", loop.main.total() / tiles,
             loop.skipped.total() / tiles);
  const bench::GpuLimit mix = result.mix_limit(), model = result.model_limit();
  fmt::print(
      "    at most {:.3g} path-steps a second and multiprocessor ({}), {:.0f} % of what the nets "
      "allow ({:.3g}, {})\n",
      mix.path_steps, mix.resource, 100 * mix.path_steps / model.path_steps, model.path_steps,
      model.resource);
  if (loop.calls > 0) {
    fmt::print(
        "    {} calls of routines of the compiler ({} instructions), which are not counted\n",
        loop.calls, loop.call_length);
  }
  for (const InnerLoop& inner : loop.inner) {
    fmt::print("{:{}}loop {:#x} to {:#x}: {} times {:.0f} instructions, {:.0f} of them tensor\n",
               "", 2 + 2 * inner.depth, inner.begin, inner.end, inner.trips, inner.once.total(),
               inner.once[PipeKind::tensor]);
  }
}

void print_markdown(std::span<const GateResult> results) {
  fmt::print(
      "\n| kernel | registers | spill bytes | shared KiB | warps | code KiB | instructions |");
  for (std::size_t i = 0; i < pipe_kind_count; ++i)
    fmt::print(" {} |", name(static_cast<PipeKind>(i)));
  fmt::print(" under branches | binds | of the limit |\n|");
  for (std::size_t i = 0; i < pipe_kind_count + 10; ++i) fmt::print(" --- |");
  fmt::print("\n");
  for (const GateResult& result : results) {
    if (!result.loop) continue;
    const KernelResources& r = result.resources;
    fmt::print("| {} | {} | {} | {:.1f} | {} | {:.1f} | {:.0f} |", result.compilation.label,
               r.registers, r.spill_stores + r.spill_loads, kibibytes(result),
               result.resident_warps(), static_cast<double>(result.code_bytes) / 1024,
               result.instructions());
    const double tiles = result.compilation.tile_steps;
    for (const double one : result.loop->main.of) fmt::print(" {:.0f} |", one / tiles);
    const bench::GpuLimit mix = result.mix_limit();
    fmt::print(" {:.0f} | {} | {:.0f} % |\n", result.loop->skipped.total() / tiles, mix.resource,
               100 * mix.path_steps / result.model_limit().path_steps);
  }
}

}  // namespace ito::cuda
