#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <ito/error.hpp>
#include <ito/model.hpp>

namespace ito {

/// Inclusive bounds of an integer field.
struct Range {
  int least = 0;
  int most = 0;
};

inline constexpr Range state_range{1, 1024};
inline constexpr Range noise_range{1, 1024};
inline constexpr Range steps_range{1, 10'000'000};
inline constexpr Range width_range{1, 4096};
inline constexpr Range context_range{0, 65'536};
inline constexpr Range observed_range{1, 65'536};
inline constexpr int hidden_layers_limit = 16;
/// A flat vector is indexed by 32-bit integers on some devices.
inline constexpr std::size_t parameters_limit = 2'147'483'647;

/// "field[index]"
std::string indexed(const std::string& field, std::size_t index);

// Each throws ito::Error with the field, its value and what is accepted.
void check_integer(const std::string& field, std::int64_t value, Range range);
/// A number that is finite as a float32 too, because engines and parameters hold float32.
void check_finite(const std::string& field, double value);
void check_positive(const std::string& field, double value);
/// A vector that is empty or has `size` finite entries.
void check_values(const std::string& field, const std::vector<double>& values, std::size_t size);
/// The number of all parameters together.
void check_total(std::size_t parameters);
/// A std::function that is there.
template <class Function>
void check_function(const char* field, const Function& function) {
  if (!function) throw Error(field, "nothing", "a function");
}
/// Hidden widths and functions. `exp_output`: whether the output may be exp.
void check_net(const std::string& field, const Mlp& net, bool exp_output = false);

}  // namespace ito
