#pragma once

#include <string_view>

namespace ito::cuda {

/// The most instructions of a warp for 16 paths and one step, on the main path of the time loop
/// (gate/loop_count.hpp), that the gate lets pass; 0 where the table has no row.
double most_instructions(int compute_capability, std::string_view kernel,
                         std::string_view precision, std::string_view shape);

/// Rows of the table.
int bound_count();

}  // namespace ito::cuda
