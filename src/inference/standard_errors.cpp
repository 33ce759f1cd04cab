#include <ito/standard_errors.hpp>

#include <Eigen/Core>
#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>
#include <ito/check.hpp>
#include <ito/error.hpp>

#include "inference/checks.hpp"
#include "inference/latent_paths.hpp"
#include "inference/named_tensors.hpp"
#include "inference/observation_scores.hpp"
#include "model/shape.hpp"

namespace ito {
namespace {

using Information = Eigen::MatrixXd;

constexpr std::size_t most_parameters = 2048;

/// The tensors that p(y) depends on: all but those of control and encoder.
std::vector<Tensor> model_tensors(const LatentModel& latent, const LatentShape& shape) {
  const std::size_t prior_end = resolve(prior(latent.model)).parameters;
  std::vector<Tensor> tensors;
  for (const Tensor& tensor : shape.tensors)
    if (tensor.offset < prior_end || tensor.name.starts_with("decoder.") ||
        tensor.name.starts_with("likelihood."))
      tensors.push_back(tensor);
  return tensors;
}

/// Those asked for, each once, in the model's order.
std::vector<Tensor> chosen_tensors(std::vector<Tensor> tensors,
                                   const std::vector<std::string>& names) {
  if (!names.empty()) {
    const std::vector<Tensor> named = named_tensors(tensors, names, "standard_errors.tensors");
    std::erase_if(tensors, [&](const Tensor& tensor) {
      return std::ranges::none_of(named,
                                  [&](const Tensor& one) { return one.offset == tensor.offset; });
    });
  }
  return tensors;
}

void check_numbers(std::size_t numbers, std::size_t observations) {
  if (numbers == 0)
    throw Error("standard_errors.tensors", "a model without parameters that p(y) depends on",
                "one with some");
  if (numbers > most_parameters)
    throw Error("standard_errors.tensors", fmt::format("{} numbers in all", numbers),
                fmt::format("up to {}: name some", most_parameters));
  if (numbers > observations)
    throw Error("standard_errors.tensors", fmt::format("{} numbers in all", numbers),
                fmt::format("up to {}, as many as there are observations", observations));
}

/// Sums over observations, of two estimates a, b of each one's score.
struct ScoreProducts {
  Information information;  ///< Σ (a bᵀ + b aᵀ) / 2
  Information noise;        ///< Σ (a − b)(a − b)ᵀ / 2: of one estimate
};

ScoreProducts products_of(ObservationScores& scores, Eigen::Index observations,
                          Eigen::Index numbers) {
  // So many at a time, whatever the threads, that sums are the same.
  constexpr Eigen::Index block = 64;
  ScoreProducts sums{Information::Zero(numbers, numbers), Information::Zero(numbers, numbers)};
  for (Eigen::Index begin = 0; begin < observations; begin += block) {
    const Eigen::Index rows = std::min(block, observations - begin);
    ObservationScores::Rows first(rows, numbers), second(rows, numbers);
    scores.estimate(static_cast<std::size_t>(begin), first, second);
    sums.information.noalias() += 0.5 * first.transpose() * second;
    first -= second;
    sums.noise.noalias() += 0.5 * first.transpose() * first;
  }
  sums.information += sums.information.transpose().eval();
  return sums;
}

/// The inverse of an information. It is of numbers of different units, so each is first measured in
/// its own standard error.
Information inverse_of(const ScoreProducts& sums, std::size_t observations,
                       std::span<const ParameterError> parameters) {
  const auto undetermined = [&](Eigen::Index i) {
    const ParameterError& one = parameters[static_cast<std::size_t>(i)];
    throw Error(fmt::format("standard_errors: {}[{}]", one.tensor, one.element),
                "an information that is not above its Monte Carlo error",
                "parameters that the observations determine beside the others; without this one, "
                "or with more samples");
  };
  const Eigen::Index numbers = sums.information.rows();
  for (Eigen::Index i = 0; i < numbers; ++i)
    if (!(sums.information(i, i) > 0)) undetermined(i);
  const Eigen::VectorXd scale = sums.information.diagonal().cwiseSqrt().cwiseInverse();
  const Eigen::SelfAdjointEigenSolver<Information> solved(scale.asDiagonal() * sums.information *
                                                          scale.asDiagonal());
  const Information noise = scale.asDiagonal() * sums.noise * scale.asDiagonal();
  for (Eigen::Index k = 0; k < numbers; ++k) {
    // The products of two errors, of variance v each, add to one of variance N v².
    const Eigen::VectorXd direction = solved.eigenvectors().col(k);
    const double error =
        direction.dot(noise * direction) / std::sqrt(static_cast<double>(observations));
    if (solved.eigenvalues()[k] > std::max(4 * error, 1e-10)) continue;
    Eigen::Index most = 0;
    direction.cwiseAbs().maxCoeff(&most);
    undetermined(most);
  }
  const Information inverse = solved.eigenvectors() *
                              solved.eigenvalues().cwiseInverse().asDiagonal() *
                              solved.eigenvectors().transpose();
  return scale.asDiagonal() * inverse * scale.asDiagonal();
}

}  // namespace

ParameterErrors standard_errors(const LatentModel& latent, std::span<const float> parameters,
                                const Dataset& data, const StandardErrorOptions& options) {
  check_count("standard_errors.samples", options.samples, 2);
  if (options.samples % 2 != 0)
    throw Error("standard_errors.samples", fmt::format("{}", options.samples), "even numbers");
  const LatentModel checked = validated(latent);
  check_dataset(data, checked);
  const LatentShape shape = resolve(checked);
  check_samples("standard_errors.samples", options.samples, data.count, checked,
                options.execution.device, true);
  check_parameters(shape, parameters);
  const std::vector<Tensor> tensors =
      chosen_tensors(model_tensors(checked, shape), options.tensors);
  std::size_t total = 0;
  for (const Tensor& tensor : tensors) total += tensor.size;
  check_numbers(total, data.count);
  ParameterErrors result;
  for (const Tensor& tensor : tensors)
    for (std::size_t k = 0; k < tensor.size; ++k)
      result.parameters.push_back(
          {tensor.name, k, static_cast<double>(parameters[tensor.offset + k]), 0});
  ObservationScores scores(checked, shape, parameters, data, tensors,
                           {options.samples / 2, options.seed, options.execution});
  const auto numbers = static_cast<Eigen::Index>(total);
  const ScoreProducts sums = products_of(scores, static_cast<Eigen::Index>(data.count), numbers);
  const Information covariance = inverse_of(sums, data.count, result.parameters);
  for (Eigen::Index i = 0; i < numbers; ++i)
    result.parameters[static_cast<std::size_t>(i)].error = std::sqrt(covariance(i, i));
  // Both are symmetric.
  result.information.assign(sums.information.data(),
                            sums.information.data() + sums.information.size());
  result.covariance.assign(covariance.data(), covariance.data() + covariance.size());
  return result;
}

}  // namespace ito
