#pragma once

#include <span>

#include "gate/gate_result.hpp"

namespace ito::cuda {

void print_heading();
void print_row(const GateResult& result);
/// The time loop by kind and its inner loops.
void print_loop(const GateResult& result);
/// All time loops as one table of Markdown.
void print_markdown(std::span<const GateResult> results);

}  // namespace ito::cuda
