#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>

// Sizes that come from outside: options, JSON, array headers, fields of structs. Every one has a
// bound, and every product of them is made here, where it cannot wrap. All that throws throws
// ito::Error; what is accepted allocates nothing.
namespace ito {

/// Of epochs, iterations, rows, samples and whatever else is counted: an int of any device holds
/// it.
inline constexpr std::size_t count_limit = 2'147'483'647;
/// Global indices of paths are below it, because the noise's counter is of 32 bits for 8 paths in
/// 16.
inline constexpr std::uint64_t path_limit = std::uint64_t{1} << 33;
/// Bytes, and so elements, that one array can have.
inline constexpr std::size_t array_limit =
    static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max());

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

/// Refuses `field` unless `value` is from `least` to `most`.
void check_count(std::string_view field, std::uint64_t value, std::uint64_t least = 1,
                 std::uint64_t most = count_limit);
/// Paths of a call.
void check_paths(std::string_view field, std::uint64_t paths, std::uint64_t least = 1);

/// Bytes of memory of this machine.
double machine_memory();

/// What a call needs of it, in bytes.
struct Holding {
  double results = 0;  ///< handed back, or written
  double beside = 0;   ///< held at the same time at the peak

  double peak() const { return results + beside; }
};
/// Refuses `field`, which asks for `count` things, before the machine starts to swap: where more is
/// to be held at a time than it has. `instead` says what to ask for.
void check_memory(std::string_view field, std::uint64_t count, Holding holding,
                  const char* instead);

}  // namespace ito
