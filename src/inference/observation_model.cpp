#include "inference/observation_model.hpp"

#include <array>
#include <cmath>
#include <numbers>
#include <type_traits>

#include "inference/batch_math.hpp"
#include "inference/distributions.hpp"

namespace ito {
namespace {

/// Sums of one row. Each lane has its own double, and the lanes are added in order at the end.
template <class Real>
struct RowSums {
  static constexpr std::size_t lanes = xsimd::batch<Real>::size;
  std::array<double, lanes> value{}, log_scale_slope{};
  void add(const LikelihoodTerms<xsimd::batch<Real>>& terms, std::size_t used) {
    std::array<Real, lanes> numbers;
    terms.value.store_unaligned(numbers.data());
    for (std::size_t l = 0; l < used; ++l) value[l] += static_cast<double>(numbers[l]);
    terms.log_scale_slope.store_unaligned(numbers.data());
    for (std::size_t l = 0; l < used; ++l) log_scale_slope[l] += static_cast<double>(numbers[l]);
  }
};

template <std::size_t lanes>
double total(const std::array<double, lanes>& numbers) {
  double sum = 0;
  for (const double number : numbers) sum += number;
  return sum;
}

/// One row of L numbers; `slope` is null where nobody asks for derivatives.
template <class Real, class Element>
RowSums<Real> row_terms(const Element& element, const float* y, const Real* eta, Real* slope,
                        std::size_t length) {
  using Batch = xsimd::batch<Real>;
  constexpr std::size_t lanes = Batch::size;
  RowSums<Real> sums;
  std::size_t j = 0;
  for (; j + lanes <= length; j += lanes) {
    const auto terms = element(Batch::load_unaligned(y + j), Batch::load_unaligned(eta + j));
    sums.add(terms, lanes);
    if (slope) terms.slope.store_unaligned(slope + j);
  }
  if (const std::size_t rest = length - j; rest > 0) {
    std::array<Real, lanes> y_rest{}, eta_rest{}, slope_rest;
    for (std::size_t l = 0; l < rest; ++l) y_rest[l] = y[j + l], eta_rest[l] = eta[j + l];
    const auto terms =
        element(Batch::load_unaligned(y_rest.data()), Batch::load_unaligned(eta_rest.data()));
    sums.add(terms, rest);
    terms.slope.store_unaligned(slope_rest.data());
    for (std::size_t l = 0; slope && l < rest; ++l) slope[j + l] = slope_rest[l];
  }
  return sums;
}

/// All rows. A path is one row and writes only its own results, so they do not depend on `threads`.
/// `log_scale` is subtracted from log p once for each number of a row with a scale.
template <class Real, class Element>
void all_rows(const Element& element, const BasicObservedPaths<Real>& paths, bool has_scale,
              double log_scale, int threads, const BasicObservationTerms<Real>& terms) {
  const std::size_t length = paths.y.size() / paths.constants.size();
  const auto count =
      static_cast<std::ptrdiff_t>(paths.constants.size() * paths.paths_per_observation);
#pragma omp parallel for schedule(static) num_threads(threads)
  for (std::ptrdiff_t path = 0; path < count; ++path) {
    const auto i = static_cast<std::size_t>(path);
    const std::size_t row = i / paths.paths_per_observation;
    Real* slope = terms.eta_derivative.empty() ? nullptr : &terms.eta_derivative[i * length];
    const RowConstant& constant = paths.constants[row];
    const auto sum = [&](const auto& each) {
      return row_terms(each, &paths.y[row * length], &paths.eta[i * length], slope, length);
    };
    const bool complete = constant.numbers == static_cast<double>(length);
    const RowSums<Real> sums = complete ? sum(element) : sum(WhereObserved<Element>{element});
    const double scales = has_scale ? constant.numbers : 0.0;
    if (!terms.log_probability.empty())
      terms.log_probability[i] = constant.value + total(sums.value) - scales * log_scale;
    if (!terms.log_scale_derivative.empty())
      terms.log_scale_derivative[i] = total(sums.log_scale_slope) - scales;
  }
}

template <class Kind, class... Kinds>
constexpr bool one_of = (std::is_same_v<Kind, Kinds> || ...);

/// Calls `visitor` with the likelihood's kind; a Bernoulli is a Binomial of count 1.
template <class Visitor>
decltype(auto) by_kind(const Likelihood& likelihood, const Visitor& visitor) {
  return std::visit(
      [&]<class Kind>(const Kind& kind) -> decltype(auto) {
        if constexpr (std::is_same_v<Kind, Bernoulli>) {
          return visitor(Binomial{1});
        } else {
          return visitor(kind);
        }
      },
      likelihood);
}

/// log p(y) at its best, sigmoid(η) = y/count (Loader 2000, "Fast and accurate computation of
/// binomial probabilities").
double best_log_binomial(double count, double y) {
  const double failures = count - y;
  if (y == 0 || failures == 0) return 0;
  return stirling_error(count) - stirling_error(y) - stirling_error(failures) +
         0.5 * std::log(count / (2 * std::numbers::pi * y * failures));
}

/// log p(y) at the rate y.
double best_log_poisson(double y) {
  return y == 0 ? 0.0 : -stirling_error(y) - 0.5 * std::log(2 * std::numbers::pi * y);
}

double sigmoid(double eta) {
  const double tail = std::exp(-std::abs(eta));
  return (eta >= 0 ? 1.0 : tail) / (1.0 + tail);
}

}  // namespace

double ObservationModel::initial_log_scale() const {
  return by_kind(likelihood_, []<class Kind>(const Kind& kind) {
    if constexpr (one_of<Kind, Gaussian, StudentT>) {
      return std::log(kind.scale);
    } else {
      return 0.0;
    }
  });
}

RowConstant ObservationModel::constant(std::span<const float> row) const {
  return by_kind(likelihood_, [&]<class Kind>(const Kind& kind) {
    double each = 0;
    if constexpr (std::is_same_v<Kind, Gaussian>) each = -0.5 * std::log(2 * std::numbers::pi);
    if constexpr (std::is_same_v<Kind, StudentT>)
      each = log_gamma_half_step(0.5 * kind.degrees) - 0.5 * std::log(2 * std::numbers::pi);
    RowConstant sum;
    for (const float number : row) {
      if (std::isnan(number)) continue;
      const auto y = static_cast<double>(number);
      sum.numbers += 1;
      if constexpr (std::is_same_v<Kind, Binomial>) sum.value += best_log_binomial(kind.count, y);
      if constexpr (std::is_same_v<Kind, Poisson>) sum.value += best_log_poisson(y);
    }
    sum.value += sum.numbers * each;
    return sum;
  });
}

template <class Real>
void ObservationModel::evaluate(const BasicObservedPaths<Real>& paths, double log_scale,
                                int threads, const BasicObservationTerms<Real>& terms) const {
  const double inverse_scale = std::exp(-log_scale);
  const auto real = [](double number) { return static_cast<Real>(number); };
  by_kind(likelihood_, [&]<class Kind>(const Kind& kind) {
    if constexpr (std::is_same_v<Kind, Binomial>) {
      if (kind.count == 1) {
        all_rows(AllOrNothingTerms<Real>{1}, paths, false, 0, threads, terms);
      } else {
        all_rows(BinomialTerms<Real>{real(kind.count)}, paths, false, 0, threads, terms);
      }
    } else if constexpr (std::is_same_v<Kind, Poisson>) {
      all_rows(PoissonTerms<Real>{}, paths, false, 0, threads, terms);
    } else if constexpr (std::is_same_v<Kind, Gaussian>) {
      all_rows(GaussianTerms<Real>{real(inverse_scale)}, paths, true, log_scale, threads, terms);
    } else {
      const double factor = inverse_scale / std::sqrt(kind.degrees);
      all_rows(StudentTerms<Real>{real(kind.degrees), real(factor), real(std::sqrt(factor))}, paths,
               true, log_scale, threads, terms);
    }
  });
}

template void ObservationModel::evaluate(const BasicObservedPaths<float>&, double, int,
                                         const BasicObservationTerms<float>&) const;
template void ObservationModel::evaluate(const BasicObservedPaths<double>&, double, int,
                                         const BasicObservationTerms<double>&) const;

double ObservationModel::mean(double eta) const {
  return by_kind(likelihood_, [&]<class Kind>(const Kind& kind) {
    if constexpr (std::is_same_v<Kind, Binomial>) {
      return kind.count * sigmoid(eta);
    } else if constexpr (std::is_same_v<Kind, Poisson>) {
      return std::exp(eta);
    } else {
      return eta;
    }
  });
}

double ObservationModel::draw(double eta, double log_scale, std::uint64_t seed, std::uint64_t row,
                              std::uint32_t element) const {
  UniformStream uniforms(seed, row, element);
  return by_kind(likelihood_, [&]<class Kind>(const Kind& kind) {
    if constexpr (std::is_same_v<Kind, Binomial>) {
      return draw_binomial(kind.count, sigmoid(eta), uniforms);
    } else if constexpr (std::is_same_v<Kind, Poisson>) {
      return draw_poisson(std::exp(eta), uniforms);
    } else if constexpr (std::is_same_v<Kind, Gaussian>) {
      return eta + std::exp(log_scale) * draw_normal(uniforms);
    } else {
      return eta + std::exp(log_scale) * draw_student(kind.degrees, uniforms);
    }
  });
}

std::string ObservationModel::accepted_values() const {
  return by_kind(likelihood_, []<class Kind>(const Kind& kind) -> std::string {
    if constexpr (std::is_same_v<Kind, Binomial>) {
      return "integers from 0 to " + std::to_string(kind.count);
    } else if constexpr (std::is_same_v<Kind, Poisson>) {
      return "integers from 0 to " + std::to_string(largest_count);
    } else {
      return "finite numbers";
    }
  });
}

bool ObservationModel::accepts(float y) const {
  const auto is_count = [y](double largest) {
    return y >= 0 && static_cast<double>(y) <= largest && y == std::floor(y);
  };
  return by_kind(likelihood_, [&]<class Kind>(const Kind& kind) {
    if constexpr (std::is_same_v<Kind, Binomial>) {
      return is_count(kind.count);
    } else if constexpr (std::is_same_v<Kind, Poisson>) {
      return is_count(largest_count);
    } else {
      return std::isfinite(y);
    }
  });
}

}  // namespace ito
