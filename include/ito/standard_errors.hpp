#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <ito/dataset.hpp>
#include <ito/device.hpp>
#include <ito/latent_model.hpp>

#pragma GCC visibility push(default)
namespace ito {

struct StandardErrorOptions {
  /// Tensors by name or by what comes before a dot in it, as FitOptions::fixed: "drift",
  /// "likelihood.log_scale". The others are taken as known. Empty: all that p(y) depends on, which
  /// are those of the prior, the decoder and the likelihood.
  std::vector<std::string> tensors{};
  std::size_t samples = 1024;  ///< paths of each observation, an even number
  std::uint64_t seed = 0;
  Execution execution{};
};

/// One number of a tensor.
struct ParameterError {
  std::string tensor{};
  std::size_t element = 0;  ///< of the tensor, row-major
  double value = 0;         ///< where it stands
  double error = 0;         ///< its standard error
};

struct ParameterErrors {
  std::vector<ParameterError> parameters{};  ///< [P], in the order of the model's tensors
  std::vector<double> information{};         ///< [P, P], of all observations together
  std::vector<double> covariance{};          ///< [P, P], its inverse
};

/// How well maximum-likelihood estimates are known: the inverse of the information, which is the
/// sum over observations of the outer product of the scores d log p(y_i)/dθ (Berndt, Hall, Hall &
/// Hausman 1974). A score is the mean of d log w/dθ over posterior paths by their weights w =
/// p(y|X) e^(−M−E) (Fisher's identity), the gradient of the importance-weighted bound. It is
/// estimated twice, by halves of the paths, and the product is of the two, so that the Monte Carlo
/// error of a score does not count as information.
///
/// Throws ito::Error on options out of range, on names that fit no tensor or one that p(y) does not
/// depend on, on more than 2048 numbers in all or more than there are observations, where
/// `evaluate` does, on an observation without a finite path, and where the information is not
/// positive definite, naming the tensor that is not determined.
ParameterErrors standard_errors(const LatentModel& latent, std::span<const float> parameters,
                                const Dataset& data, const StandardErrorOptions& options = {});

}  // namespace ito
#pragma GCC visibility pop
