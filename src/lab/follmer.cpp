#include <ito/lab/follmer.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include <fmt/format.h>
#include <ito/check.hpp>
#include <ito/error.hpp>
#include <ito/network.hpp>
#include <ito/noise.hpp>
#include <ito/optimizer.hpp>

namespace ito::lab {
namespace {

std::string place_of(const Dataset& samples, std::size_t i) {
  return fmt::format("samples row {} of {}, column {}", i / samples.dimension + 1, samples.count,
                     i % samples.dimension + 1);
}

/// "1e+30 in samples row 3 of 9, column 1"
std::string largest_number(const Dataset& samples) {
  const auto place =
      std::ranges::max_element(samples.values, {}, [](float value) { return std::abs(value); });
  return fmt::format("{} in {}", *place,
                     place_of(samples, static_cast<std::size_t>(place - samples.values.begin())));
}

void check(const Dataset& samples, const FollmerOptions& options) {
  if (samples.count < 1 || samples.times != 1)
    throw Error("samples", fmt::format("{} rows of {} times", samples.count, samples.times),
                "at least one row of one time");
  check_count("samples.count", samples.count);
  check_count("samples.dimension", samples.dimension, 1, state_range.most);
  if (samples.values.size() != samples.count * samples.dimension)
    throw Error("samples.values", fmt::format("{} numbers", samples.values.size()),
                fmt::format("{} (count × dimension)", samples.count * samples.dimension));
  for (std::size_t i = 0; i < samples.values.size(); ++i)
    if (!std::isfinite(samples.values[i]))
      throw Error(place_of(samples, i), fmt::format("{}", samples.values[i]), "finite numbers");
  check_integer("follmer.steps", options.steps, steps_range);
  check_net("follmer.drift", options.drift);
  check_positive("follmer.learning_rate", options.learning_rate);
  if (!options.drift.time) throw Error("follmer.drift.time", "false", "true");
  check_count("follmer.iterations", options.iterations);
  check_count("follmer.batch", options.batch);
  // x and t, what the drift should be there, what it is, and a cotangent.
  check_memory("follmer.batch", options.batch,
               {.beside = static_cast<double>(options.batch) *
                          static_cast<double>(4 * samples.dimension + 1) * sizeof(float)},
               "fewer");
  if (!(options.averaging >= 0 && options.averaging < 1))
    throw Error("follmer.averaging", fmt::format("{}", options.averaging),
                "from 0 up to, not at, 1");
}

/// Points of Brownian bridges from the origin to samples and what the drift should be there.
class Bridges {
 public:
  Bridges(const Dataset& samples, const FollmerOptions& options)
      : samples_(samples),
        steps_(static_cast<std::uint32_t>(options.steps)),
        threads_(thread_count(options.execution.threads)),
        d_(samples.dimension),
        inputs(options.batch * (d_ + 1)),
        wanted(options.batch * d_) {}

  void draw(std::uint64_t seed) {
#pragma omp parallel for schedule(static) num_threads(threads_)
    for (std::size_t i = 0; i < wanted.size() / d_; ++i) {
      const auto words = philox4x32({static_cast<std::uint32_t>(i), 0, 0,
                                     static_cast<std::uint32_t>(NoiseStream::observation)},
                                    seed);
      const auto row =
          static_cast<std::size_t>((std::uint64_t{words[0]} << 32 | words[1]) % samples_.count);
      const double t = static_cast<double>(words[2] % steps_) / steps_;
      for (std::size_t j = 0; j < d_; ++j) {
        const double end = samples_.row(row)[j];
        const double x = t * end + std::sqrt(t * (1 - t)) *
                                       standard_normal(seed, i, 0, static_cast<std::uint32_t>(j));
        inputs[i * (d_ + 1) + j] = static_cast<float>(x);
        wanted[i * d_ + j] = static_cast<float>((end - x) / (1 - t));
      }
      inputs[i * (d_ + 1) + d_] = static_cast<float>(t);
    }
  }

 private:
  const Dataset& samples_;
  std::uint32_t steps_;
  int threads_;
  std::size_t d_;

 public:
  std::vector<float> inputs;  ///< x then t [batch, d + 1]
  std::vector<float> wanted;  ///< [batch, d]
};

/// A typical size of the states, for the first layer to divide by.
double root_mean_square(const Dataset& samples) {
  double squares = 0;
  for (const float x : samples.values) squares += static_cast<double>(x) * static_cast<double>(x);
  return std::sqrt(squares / static_cast<double>(samples.values.size()));
}

}  // namespace

NeuralSde fit_follmer(const FollmerOptions& options, const Dataset& samples,
                      const FollmerCallback& progress) {
  check(samples, options);
  NeuralSde sde;
  sde.model.state = static_cast<int>(samples.dimension);
  sde.model.grid = uniform_grid(1.0, options.steps);
  sde.model.drift = options.drift;
  sde.model = validated(sde.model);
  sde.parameters = initialize(sde.model, options.seed);
  const std::size_t d = samples.dimension;
  const auto first = sde.parameters["drift.0.weight"];
  const auto scale = static_cast<float>(1 / std::max(1.0, root_mean_square(samples)));
  for (std::size_t i = 0; i < first.size(); ++i)
    if (i % (d + 1) < d) first[i] *= scale;

  // The drift's parameters are the model's first, and those of a net of rows of x and t.
  const auto net =
      make_network(options.drift, sde.model.state + 1, sde.model.state, options.execution);
  Bridges bridges(samples, options);
  std::vector<float> outputs(bridges.wanted.size()), cotangents(outputs.size());
  std::vector<float> gradient(sde.parameters.size());
  Adam adam(sde.parameters.values());
  for (std::size_t step = 0; step < options.iterations; ++step) {
    bridges.draw(step_seed(options.seed, 0, static_cast<std::uint32_t>(step)));
    net->forward(sde.parameters, bridges.inputs, outputs);
    const double share = 1.0 / static_cast<double>(options.batch);
    double loss = 0;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const double miss = static_cast<double>(outputs[i]) - static_cast<double>(bridges.wanted[i]);
      loss += 0.5 * share * miss * miss;
      cotangents[i] = static_cast<float>(share * miss);
    }
    std::ranges::fill(gradient, 0.0F);
    net->backward(sde.parameters, bridges.inputs, cotangents, gradient, {});
    if (!std::isfinite(loss) || !std::isfinite(norm(gradient)))
      throw Error(fmt::format("fit_follmer: iteration {}", step + 1),
                  fmt::format("a loss or gradient that is not finite; the largest number is {}",
                              largest_number(samples)),
                  step == 0 ? "samples of a smaller scale" : "a smaller learning_rate may help");
    const double done = static_cast<double>(step) / static_cast<double>(options.iterations);
    adam.step(gradient, 1.0,
              options.learning_rate * (0.01 + 0.99 * 0.5 * (1 + std::cos(std::numbers::pi * done))),
              options.averaging);
    round_to(adam.parameters, sde.parameters.values());
    if (progress) progress({.iteration = step + 1, .iterations = options.iterations, .loss = loss});
  }
  round_to(adam.average, sde.parameters.values());
  return sde;
}

}  // namespace ito::lab
