#pragma once

#include <cstddef>
#include <string>

#include <ito/check.hpp>

namespace ito {

inline constexpr Range noise_range{1, 1024};
inline constexpr Range width_range{1, 4096};
inline constexpr Range context_range{0, 65'536};
inline constexpr Range observed_range{1, 65'536};
inline constexpr int hidden_layers_limit = 16;
/// A flat vector is indexed by 32-bit integers on some devices.
inline constexpr std::size_t parameters_limit = 2'147'483'647;

/// "field[index]"
std::string indexed(const std::string& field, std::size_t index);

// Each throws ito::Error with the field, its value and what is accepted.
/// A number that is finite as a float32 too, because engines and parameters hold float32.
void check_finite(const std::string& field, double value);
/// The number of all parameters together.
void check_total(std::size_t parameters);

}  // namespace ito
