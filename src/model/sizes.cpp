#include "model/sizes.hpp"

#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <ito/error.hpp>

namespace ito {
namespace {

[[noreturn]] void refuse(std::string_view field, std::span<const std::size_t> sizes) {
  throw Error(std::string(field), fmt::format("{}", fmt::join(sizes, " × ")),
              "sizes whose product fits in memory");
}

}  // namespace

std::optional<std::size_t> product_of(std::span<const std::size_t> sizes) {
  if (std::ranges::find(sizes, std::size_t{0}) != sizes.end()) return 0;
  std::size_t product = 1;
  for (const std::size_t size : sizes) {
    if (product > array_limit / size) return std::nullopt;
    product *= size;
  }
  return product;
}

std::optional<std::size_t> product_of(std::initializer_list<std::size_t> sizes) {
  return product_of(std::span(sizes.begin(), sizes.size()));
}

std::size_t checked_product(std::string_view field, std::span<const std::size_t> sizes) {
  const auto product = product_of(sizes);
  if (!product) refuse(field, sizes);
  return *product;
}

std::size_t checked_product(std::string_view field, std::initializer_list<std::size_t> sizes) {
  return checked_product(field, std::span(sizes.begin(), sizes.size()));
}

std::size_t checked_elements(std::string_view field, std::initializer_list<std::size_t> sizes,
                             std::size_t element) {
  const std::size_t product = checked_product(field, sizes);
  if (!product_of({product, element})) refuse(field, std::span(sizes.begin(), sizes.size()));
  return product;
}

void check_count(std::string_view field, std::uint64_t value, std::uint64_t least,
                 std::uint64_t most) {
  if (value >= least && value <= most) return;
  throw Error(std::string(field), fmt::format("{}", value), fmt::format("{} to {}", least, most));
}

void check_paths(std::string_view field, std::uint64_t paths, std::uint64_t least) {
  check_count(field, paths, least, path_limit);
}

double machine_memory() {
  return static_cast<double>(::sysconf(_SC_PHYS_PAGES)) *
         static_cast<double>(::sysconf(_SC_PAGE_SIZE));
}

void check_memory(std::string_view field, std::uint64_t count, Holding holding,
                  const char* instead) {
  const double machine = machine_memory();
  if (holding.peak() <= machine) return;
  const auto size = [](double bytes) { return fmt::format("{:.1f} GiB", bytes / 0x1p30); };
  const std::string results =
      holding.results > 0 ? fmt::format(", whose results take {}", size(holding.results)) : "";
  throw Error(std::string(field),
              fmt::format("{}{}{} {} of memory", count, results,
                          results.empty() ? ", which takes" : ", in all", size(holding.peak())),
              fmt::format("what the {} of this machine hold: {}", size(machine), instead));
}

}  // namespace ito
