#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <ito/check.hpp>

// Sizes that come from outside: options, JSON, array headers, fields of structs. Every one has a
// bound, and every product of them is made here, where it cannot wrap. All that throws throws
// ito::Error; what is accepted allocates nothing.
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
/// Times that are finite and increase.
void check_times(const std::string& field, std::span<const double> times);
/// `threads` is 0 or a number of threads that machines have.
void check_threads(int threads);
/// The number of all parameters together.
void check_total(std::size_t parameters);

/// Bytes, and so elements, that one array can have.
inline constexpr std::size_t array_limit =
    static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max());

/// A size given as an int.
inline std::size_t size(int number) { return static_cast<std::size_t>(number); }

/// The product where it is up to `array_limit`, else nothing. An empty axis makes it 0, whatever
/// the others are.
std::optional<std::size_t> product_of(std::span<const std::size_t> sizes);
std::optional<std::size_t> product_of(std::initializer_list<std::size_t> sizes);

/// The product; refuses `field` where there is none.
std::size_t checked_product(std::string_view field, std::span<const std::size_t> sizes);
std::size_t checked_product(std::string_view field, std::initializer_list<std::size_t> sizes);

/// The product, as the number of elements of an array of T: one whose bytes can be counted too.
std::size_t checked_elements(std::string_view field, std::initializer_list<std::size_t> sizes,
                             std::size_t element);
template <class T>
std::size_t checked_elements(std::string_view field, std::initializer_list<std::size_t> sizes) {
  return checked_elements(field, sizes, sizeof(T));
}

/// Bytes of memory of this machine.
double machine_memory();

/// The most bytes this process has had resident; 0 where the system does not say.
double peak_memory();

}  // namespace ito
