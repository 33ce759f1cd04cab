#include "inference/observation_model.hpp"

#include <algorithm>
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

/// A path's row of η with the row of y that it is compared with.
template <class Real>
struct PathRow {
  std::size_t path;
  const RowConstant& constant;
  const float* y;
  const Real* eta;
  Real* slope;  ///< or null
  std::size_t length;
};

/// Calls compare(row) for every path. A path is one row and writes only its own results, so they do
/// not depend on `threads`.
template <class Real, class Compare>
void for_rows(const BasicObservedPaths<Real>& paths, int threads,
              const BasicObservationTerms<Real>& terms, const Compare& compare) {
  const std::size_t length = paths.y.size() / paths.constants.size();
  const auto count =
      static_cast<std::ptrdiff_t>(paths.constants.size() * paths.paths_per_observation);
#pragma omp parallel for schedule(static) num_threads(threads)
  for (std::ptrdiff_t path = 0; path < count; ++path) {
    const auto i = static_cast<std::size_t>(path);
    const std::size_t row = i / paths.paths_per_observation;
    compare(PathRow<Real>{
        i, paths.constants[row], &paths.y[row * length], &paths.eta[i * length],
        terms.eta_derivative.empty() ? nullptr : &terms.eta_derivative[i * length], length});
  }
}

/// All rows. `log_scale` is subtracted from log p once for each number of a row with a scale.
template <class Real, class Element>
void all_rows(const Element& element, const BasicObservedPaths<Real>& paths, bool has_scale,
              double log_scale, int threads, const BasicObservationTerms<Real>& terms) {
  for_rows(paths, threads, terms, [&](const PathRow<Real>& row) {
    const auto sum = [&](const auto& each) {
      return row_terms(each, row.y, row.eta, row.slope, row.length);
    };
    const bool complete = row.constant.numbers == static_cast<double>(row.length);
    const RowSums<Real> sums = complete ? sum(element) : sum(WhereObserved<Element>{element});
    const double scales = has_scale ? row.constant.numbers : 0.0;
    if (!terms.log_probability.empty())
      terms.log_probability[row.path] = row.constant.value + total(sums.value) - scales * log_scale;
    if (!terms.log_scale_derivative.empty())
      terms.log_scale_derivative[row.path] = total(sums.log_scale_slope) - scales;
  });
}

/// One row of T times of D numbers, each with a scale of its own: element(j) has those of numbers j
/// and on. Gives log p but for its constant; `by_scale` [D] or null.
template <class Real, class ElementAt>
double scaled_row(const ElementAt& element, const std::vector<double>& log_scales,
                  const PathRow<Real>& row, double* by_scale) {
  constexpr std::size_t lanes = xsimd::batch<Real>::size;
  const std::size_t dimension = log_scales.size();
  std::array<double, lanes> sums{};
  std::array<Real, lanes> value, scale_slope;
  if (by_scale) std::fill_n(by_scale, dimension, 0.0);
  for (std::size_t time = 0; time < row.length; time += dimension) {
    for_each_vector<Real>(dimension, [&](std::size_t j, std::size_t some) {
      const std::size_t first = time + j;
      const WhereObserved<decltype(element(j))> observed{element(j)};
      const auto terms = observed(load_some_as<Real>(row.y + first, some),
                                  load_some_as<Real>(row.eta + first, some));
      terms.value.store_unaligned(value.data());
      terms.log_scale_slope.store_unaligned(scale_slope.data());
      if (row.slope) store_some(terms.slope, row.slope + first, some);
      for (std::size_t l = 0; l < some; ++l) {
        if (std::isnan(row.y[first + l])) continue;
        sums[l] += static_cast<double>(value[l]) - log_scales[j + l];
        if (by_scale) by_scale[j + l] += static_cast<double>(scale_slope[l]) - 1;
      }
    });
  }
  return total(sums);
}

template <class Real, class ElementAt>
void scaled_rows(const ElementAt& element, const BasicObservedPaths<Real>& paths,
                 const std::vector<double>& log_scales, int threads,
                 const BasicObservationTerms<Real>& terms) {
  for_rows(paths, threads, terms, [&](const PathRow<Real>& row) {
    double* const by_scale = terms.log_scale_derivative.empty()
                                 ? nullptr
                                 : &terms.log_scale_derivative[row.path * log_scales.size()];
    const double value = row.constant.value + scaled_row(element, log_scales, row, by_scale);
    if (!terms.log_probability.empty()) terms.log_probability[row.path] = value;
  });
}

/// f of each, and as many ones after them as fill a register.
template <class Real, class Function>
std::vector<Real> in_registers(const std::vector<double>& numbers, const Function& f) {
  std::vector<Real> result(numbers.size() + xsimd::batch<Real>::size, Real{1});
  for (std::size_t j = 0; j < numbers.size(); ++j) result[j] = static_cast<Real>(f(numbers[j]));
  return result;
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

LogScales ObservationModel::log_scales(std::span<const float> learned) const {
  LogScales result;
  if (learned.size() == 1) return static_cast<double>(learned[0]);
  if (!learned.empty()) {
    result.each.assign(learned.begin(), learned.end());
    return result;
  }
  by_kind(likelihood_, [&]<class Kind>(const Kind& kind) {
    if constexpr (one_of<Kind, Gaussian, StudentT>) {
      result.all = std::log(kind.scales.size() == 1 ? kind.scales[0] : kind.scale);
      if (kind.scales.size() < 2) return;
      for (const double scale : kind.scales) result.each.push_back(std::log(scale));
    }
  });
  return result;
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
void ObservationModel::evaluate(const BasicObservedPaths<Real>& paths, const LogScales& log_scales,
                                int threads, const BasicObservationTerms<Real>& terms) const {
  using Batch = xsimd::batch<Real>;
  const auto real = [](double number) { return static_cast<Real>(number); };
  const double all = log_scales.all, inverse_scale = std::exp(-all);
  const std::vector<double>& each = log_scales.each;
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
      if (each.empty())
        return all_rows(GaussianTerms<Real>{real(inverse_scale)}, paths, true, all, threads, terms);
      const auto inverse = in_registers<Real>(each, [](double log) { return std::exp(-log); });
      const auto element = [&](std::size_t j) {
        return GaussianTerms<Batch>{Batch::load_unaligned(&inverse[j])};
      };
      scaled_rows(element, paths, each, threads, terms);
    } else {
      const double degrees = kind.degrees, spread = std::sqrt(degrees);
      if (each.empty()) {
        const double factor = inverse_scale / spread;
        return all_rows(StudentTerms<Real>{real(degrees), real(factor), real(std::sqrt(factor))},
                        paths, true, all, threads, terms);
      }
      const auto of = [&](double log) { return std::exp(-log) / spread; };
      const auto factor = in_registers<Real>(each, of);
      const auto root = in_registers<Real>(each, [&](double log) { return std::sqrt(of(log)); });
      const auto element = [&](std::size_t j) {
        return StudentTerms<Batch>{Batch(real(degrees)), Batch::load_unaligned(&factor[j]),
                                   Batch::load_unaligned(&root[j])};
      };
      scaled_rows(element, paths, each, threads, terms);
    }
  });
}

template void ObservationModel::evaluate(const BasicObservedPaths<float>&, const LogScales&, int,
                                         const BasicObservationTerms<float>&) const;
template void ObservationModel::evaluate(const BasicObservedPaths<double>&, const LogScales&, int,
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
