// Counts that no machine has, in every struct and argument that takes one.
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <ito/ito.hpp>
#include <ito/lab/lab.hpp>

#include "inference/models.hpp"
#include "refusal.hpp"

namespace ito::test {
namespace {

using namespace lab;

constexpr std::size_t two_to(int power) { return std::size_t{1} << power; }

/// Their products with 4, 8 or 16 wrap around to nothing or to little.
const std::vector<std::size_t> wild{two_to(60),
                                    two_to(60) + 16,
                                    two_to(62),
                                    two_to(63),
                                    std::numeric_limits<std::size_t>::max() - 15,
                                    std::numeric_limits<std::size_t>::max()};

const LogDensity flat = [](std::span<const double>, std::span<double> gradient) {
  for (double& slope : gradient) slope = 0;
  return 0.0;
};
const Dataset one_row{.count = 1, .times = 1, .dimension = 1, .values = {0.5f}};

struct Count {
  std::string field;  ///< how the refusal begins
  std::function<void(std::size_t)> call;
};

std::vector<Count> counts() {
  const LatentModel latent = brownian(1, 2, 1.0, FeedbackControl{.net = Mlp{}});
  const Parameters parameters = initialize(latent, 1);
  const Target target{.dimension = 1, .log_density = flat};
  const DeepLatentGaussian layered{.map = Mlp{.time = false},
                                   .layers = {{.step = 1.0, .map = {}, .noise = {1.0}}}};
  const auto first = [](auto, double, double) { return 0.0; };
  const auto plan = std::make_shared<Plan>(latent.model, Device::cpu());
  Model mesh;
  mesh.grid = uniform_grid(1.0, 1);
  mesh.drift = Mlp{};
  return {
      {"fit.epochs", [=](std::size_t n) { fit(latent, {.epochs = n}, one_row); }},
      {"fit.batch", [=](std::size_t n) { fit(latent, {.batch = n}, one_row); }},
      {"fit.samples", [=](std::size_t n) { fit(latent, {.samples = n}, one_row); }},
      {"fit.held_out_samples",
       [=](std::size_t n) { fit(latent, {.held_out_samples = n}, one_row); }},
      {"fit.checkpoint_every",
       [=](std::size_t n) { fit(latent, {.checkpoint_every = n}, one_row); }},
      {"evaluate.samples",
       [=](std::size_t n) { evaluate(latent, parameters, {.samples = n}, one_row); }},
      {"sample.count", [=](std::size_t n) { sample(latent, parameters, n); }},
      {"sampler.iterations", [=](std::size_t n) { train_sampler(target, {.iterations = n}); }},
      {"sampler.paths", [=](std::size_t n) { train_sampler(target, {.paths = n}); }},
      {"run_sampler.paths",
       [=](std::size_t n) { run_sampler(target, make_sampler(target), n, 1); }},
      {"pilot",
       [=](std::size_t n) { multilevel_mean(latent.model, parameters, {.pilot = n}, {}, first); }},
      {"most_paths",
       [=](std::size_t n) {
         multilevel_mean(latent.model, parameters, {.most_paths = n}, {}, first);
       }},
      {"paths",
       [=](std::size_t n) {
         random_mesh_mean(mesh, zero_parameters(mesh), {.paths = n}, [](auto) { return 0.0; });
       }},
      {"follmer.iterations", [](std::size_t n) { fit_follmer({.iterations = n}, one_row); }},
      {"follmer.batch", [](std::size_t n) { fit_follmer({.batch = n}, one_row); }},
      {"mean_field.iterations",
       [=](std::size_t n) { fit_mean_field(layered, {.iterations = n}, flat); }},
      {"paths", [=](std::size_t n) { fit_mean_field(layered, {.paths = n}, flat); }},
      {"paths",
       [=](std::size_t n) { evaluate_mean_field(layered, prior_mean_field(layered), flat, n, 1); }},
      {"request.paths", [=](std::size_t n) { plan->simulate(parameters, {.paths = n}); }},
      {"request.first_path", [=](std::size_t n) { plan->simulate(parameters, {.first_path = n}); }},
      {"paths", [=](std::size_t n) { plan->workspace_bytes(n); }},
      {"observations", [=](std::size_t n) { plan->workspace_bytes(1, n); }},
      {"count", [=](std::size_t n) { plan->jacobian(parameters, {}, 0, n); }},
      {"directions.count", [=](std::size_t n) { plan->tangents(parameters, {}, {.count = n}); }},
  };
}

TEST(StructSizes, ThatNoMachineHasAreRefusedByName) {
  for (const Count& one : counts()) {
    for (const std::size_t value : wild) {
      const std::string message = refusal([&] { one.call(value); });
      EXPECT_TRUE(message.starts_with(one.field + ": got " + std::to_string(value)))
          << one.field << " of " << value << ": " << message;
    }
  }
}

/// Sizes of data whose product wraps around to the numbers that there are.
TEST(StructSizes, OfDataMustMultiplyToItsNumberOfValues) {
  const LatentModel latent = brownian(1, 2, 1.0, FeedbackControl{.net = Mlp{}});
  const Parameters parameters = initialize(latent, 1);
  LatentModel four = latent;
  four.model.grid = uniform_grid(1.0, 4);
  four.model.save = {1, 2, 3, 4};
  const Dataset by_times{.count = two_to(62), .times = 4, .dimension = 1, .values = {}};
  for (const Dataset& data :
       {Dataset{.count = two_to(62), .times = 1, .dimension = 1, .values = {}},
        Dataset{.count = two_to(63), .times = 1, .dimension = 1, .values = {}}}) {
    for (const auto& call : std::vector<std::function<void()>>{
             [&] { fit(latent, {}, data); }, [&] { evaluate(latent, parameters, {}, data); },
             [&] { independent_columns(Gaussian{}, data, data); },
             [&] { full_gaussian(Gaussian{}, data, data); }})
      EXPECT_TRUE(refusal(call).starts_with("data.count: got ")) << refusal(call);
    EXPECT_TRUE(refusal([&] { fit_follmer({}, data); }).starts_with("samples.count: got "));
    EXPECT_NE(refusal([&] { data.slice(two_to(61), two_to(62)); }), "accepted");
  }
  EXPECT_TRUE(refusal([&] { evaluate(four, parameters, {}, by_times); }).starts_with("data.count"));
  EXPECT_NE(refusal([&] { by_times.slice(0, 1); }), "accepted");
  const Dataset wide{.count = 1, .times = two_to(40), .dimension = two_to(40), .values = {1}};
  EXPECT_TRUE(refusal([&] {
                independent_columns(Gaussian{}, wide, wide);
              }).starts_with("data.times: got 1099511627776"));
}

TEST(StructSizes, OfTensorsMustMultiplyToTheirNumberOfValues) {
  const Tensor wraps{.name = "w", .shape = {two_to(62), 4}, .offset = 0, .size = 0};
  EXPECT_TRUE(refusal([&] { Parameters({wraps}); }).starts_with("w: got 4611686018427387904 × 4"));
  const Tensor large{.name = "w", .shape = {two_to(62)}, .offset = 0, .size = two_to(62)};
  EXPECT_TRUE(refusal([&] { Parameters({large}); }).starts_with("parameters: got"));
}

TEST(StructSizes, OfASamplersPartsAreBounded) {
  const Target target{.dimension = 1, .log_density = flat};
  Sampler sampler = make_sampler(target);
  for (const int parts : {0, -1, 1 << 30, std::numeric_limits<int>::max()}) {
    sampler.parts = parts;
    EXPECT_TRUE(refusal([&] {
                  run_sampler(target, sampler, 2, 1);
                }).starts_with("sampler.parts: got " + std::to_string(parts)));
    EXPECT_TRUE(refusal([&] {
                  reference_log_density(sampler, std::vector{0.0});
                }).starts_with("sampler.parts: got " + std::to_string(parts)));
  }
}

TEST(StructSizes, OfTooManySamplesForAGradientAreRefusedWithTheMostThatFit) {
  // Of a path at least 8 numbers of 4 bytes are kept, of 2^24 paths twice the 2^28 bytes there are.
  const LatentModel latent = brownian(8, 64, 1.0, FeedbackControl{.net = Mlp{}});
  const Dataset row{.count = 1, .times = 1, .dimension = 8, .values = std::vector<float>(8)};
  const std::string message = refusal([&] {
    fit(latent, {.epochs = 1, .samples = two_to(24), .execution = {Device::cpu(), 1}}, row);
  });
  const std::string begin = "fit.samples: got 16777216; accepted: up to ";
  ASSERT_TRUE(message.starts_with(begin)) << message;
  const std::size_t most = std::stoull(message.substr(begin.size()));
  const Plan plan(latent.model, {Device::cpu(), 1});
  EXPECT_EQ(refusal([&] { plan.workspace_bytes(most); }), "accepted");
  EXPECT_NE(refusal([&] { plan.workspace_bytes(most + 1); }), "accepted");
}

TEST(StructSizes, OfAMeshAreBounded) {
  Model mesh;
  mesh.grid = uniform_grid(1.0, 1);
  for (const double rate : {1e7, 1e300, std::numeric_limits<double>::infinity()})
    EXPECT_TRUE(refusal([&] {
                  random_mesh_mean(mesh, zero_parameters(mesh),
                                   {.mesh = ExponentialMesh{rate}, .paths = 2},
                                   [](auto) { return 0.0; });
                }).starts_with("mesh.rate: got "));
}

}  // namespace
}  // namespace ito::test
