#include "model/check.hpp"

#include <fmt/format.h>
#include <omp.h>

#include <cfloat>
#include <cmath>

namespace ito {

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

}  // namespace ito
