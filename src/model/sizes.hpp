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

}  // namespace ito
