#include "model/check.hpp"

#include <unistd.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <string>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <omp.h>
#include <ito/error.hpp>

namespace ito {
namespace {

[[noreturn]] void refuse(std::string_view field, std::span<const std::size_t> sizes) {
  throw Error(std::string(field), fmt::format("{}", fmt::join(sizes, " × ")),
              "sizes whose product fits in memory");
}

}  // namespace

std::string indexed(const std::string& field, std::size_t index) {
  return fmt::format("{}[{}]", field, index);
}

void check_integer(const std::string& field, std::int64_t value, Range range) {
  if (value < range.least || value > range.most) {
    throw Error(field, fmt::format("{}", value),
                fmt::format("integers from {} to {}", range.least, range.most));
  }
}

void check_finite(const std::string& field, double value) {
  if (!(std::abs(value) <= FLT_MAX)) {
    throw Error(field, fmt::format("{}", value), "finite float32 numbers");
  }
}

void check_times(const std::string& field, std::span<const double> times) {
  for (std::size_t k = 0; k < times.size(); ++k) {
    check_finite(indexed(field, k), times[k]);
    if (k > 0 && !(times[k] > times[k - 1])) {
      throw Error(indexed(field, k), fmt::format("{}", times[k]),
                  fmt::format("times above {}, the one before", times[k - 1]));
    }
  }
}

void check_positive(const std::string& field, double value) {
  if (!(value >= FLT_MIN && value <= FLT_MAX)) {
    throw Error(field, fmt::format("{}", value), "finite float32 numbers above 0");
  }
}

void check_values(const std::string& field, const std::vector<double>& values, std::size_t size) {
  if (!values.empty() && values.size() != size) {
    throw Error(field, fmt::format("{} numbers", values.size()),
                fmt::format("{} numbers, or none", size));
  }
  for (std::size_t i = 0; i < values.size(); ++i) check_finite(indexed(field, i), values[i]);
}

void check_threads(int threads) {
  if (threads < 0 || threads > 1024)
    throw Error("threads", std::to_string(threads), "0 (all), or 1 to 1024");
}

int thread_count(int threads) {
  check_threads(threads);
  return threads > 0 ? threads : omp_get_max_threads();
}

void check_total(std::size_t parameters) {
  if (parameters > parameters_limit) {
    throw Error("parameters", fmt::format("{}", parameters),
                fmt::format("up to {} in all: take fewer or narrower layers", parameters_limit));
  }
}

/// Refuses one that is for the output of a diffusion only.
static void check_activation(const std::string& field, Activation activation) {
  const auto use = [](Activation a) { return activation_table[static_cast<std::size_t>(a)].use; };
  if (use(activation) == ActivationUse::everywhere) return;
  std::string accepted, others;
  for (const auto& row : activation_table) {
    std::string& names = row.use == ActivationUse::everywhere ? accepted : others;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", row.name);
  }
  throw Error(field, std::string(name(activation)),
              fmt::format("{} ({} is for the output of a diffusion)", accepted, others));
}

void check_net(const std::string& field, const Mlp& net, bool diffusion) {
  if (net.hidden.size() > hidden_layers_limit) {
    throw Error(field + ".hidden", fmt::format("{} layers", net.hidden.size()),
                fmt::format("up to {} layers", hidden_layers_limit));
  }
  for (std::size_t i = 0; i < net.hidden.size(); ++i) {
    check_integer(indexed(field + ".hidden", i), net.hidden[i], width_range);
  }
  check_activation(field + ".activation", net.activation);
  if (!diffusion) check_activation(field + ".output", net.output);
}

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

void check_parameters(std::size_t got, std::size_t wanted, const char* field) {
  if (got >= wanted) return;
  throw Error(field, fmt::format("{} numbers", got),
              fmt::format("at least {}, the model's own first", wanted));
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

double peak_memory() {
  // Not getrusage: there a child process counts what its parent had when it was started.
  std::ifstream status("/proc/self/status");
  const std::string key = "VmHWM:";
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(key)) return 1024 * std::atof(line.c_str() + key.size());
  return 0;
}

}  // namespace ito
