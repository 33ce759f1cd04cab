// What every entry point refuses in the same words: numbers of threads that no machine has, a CUDA
// device where only the CPU runs, functions that are not there.
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <ito/ito.hpp>
#include <ito/lab/lab.hpp>

#include "inference/models.hpp"
#include "refusal.hpp"

namespace ito::test {
namespace {

using namespace lab;

struct EntryPoint {
  const char* name;
  std::function<void(Device, int threads)> call;
};

DeepLatentGaussian one_layer() {
  return {.map = Mlp{.time = false}, .layers = {{.step = 1.0, .map = {}, .noise = {1.0}}}};
}

const Dataset one_row{.count = 1, .times = 1, .dimension = 1, .values = {0.5f}};
const LogDensity flat = [](std::span<const double>, std::span<double> gradient) {
  for (double& slope : gradient) slope = 0;
  return 0.0;
};

/// Those that may run on any device.
std::vector<EntryPoint> of_every_device() {
  const LatentModel latent = brownian(1, 2, 1.0, FeedbackControl{.net = Mlp{}});
  const Parameters parameters = initialize(latent, 1);
  const Target target{.dimension = 1, .log_density = flat};
  return {
      {"Plan",
       [=](Device device, int n) {
         Plan(latent.model, {device, n});
       }},
      {"DoublePlan",
       [=](Device, int n) {
         DoublePlan(latent.model, {Device::reference(), n});
       }},
      {"fit",
       [=](Device device, int n) {
         fit(latent, {.epochs = 1, .execution = {device, n}}, one_row);
       }},
      {"evaluate",
       [=](Device device, int n) {
         evaluate(latent, parameters, {.samples = 16, .execution = {device, n}}, one_row);
       }},
      {"sample",
       [=](Device device, int n) {
         sample(latent, parameters, 1, {.execution = {device, n}});
       }},
      {"train_sampler",
       [=](Device device, int n) {
         train_sampler(target, {.iterations = 1, .paths = 2, .execution = {device, n}});
       }},
      {"run_sampler",
       [=](Device device, int n) {
         run_sampler(target, make_sampler(target), 2, 1, {device, n});
       }},
      {"multilevel_mean",
       [=](Device device, int n) {
         multilevel_mean(latent.model, parameters, {.execution = {device, n}}, {},
                         [](auto, double, double) { return 0.0; });
       }},
  };
}

/// Those that run on the CPU and the reference alone.
std::vector<EntryPoint> of_the_host() {
  LatentModel latent = brownian(1, 2, 1.0, FeedbackControl{.net = Mlp{}, .context = 1});
  latent.encoder = MlpEncoder{};
  latent.decoder = MlpDecoder{};
  const Parameters parameters = initialize(latent, 1);
  return {
      {"make_network",
       [](Device device, int n) {
         make_network(Mlp{}, 1, 1, {device, n});
       }},
      {"encode",
       [=](Device device, int n) {
         encode(latent, parameters, one_row, {device, n});
       }},
      {"decode",
       [=](Device device, int n) {
         decode(latent, parameters, std::vector{0.5f}, {device, n});
       }},
      {"random_mesh_mean",
       [](Device device, int n) {
         Model model;
         model.grid = uniform_grid(1.0, 1);
         model.drift = Mlp{};
         random_mesh_mean(model, zero_parameters(model), {.paths = 2, .execution = {device, n}},
                          [](auto) { return 0.0; });
       }},
      {"fit_follmer",
       [](Device device, int n) {
         fit_follmer({.steps = 1, .iterations = 1, .batch = 1, .execution = {device, n}}, one_row);
       }},
      {"DeepLatentGaussianPlan",
       [](Device device, int n) {
         DeepLatentGaussianPlan(one_layer(), {device, n});
       }},
      {"fit_mean_field",
       [](Device device, int n) {
         fit_mean_field(one_layer(), {.iterations = 1, .paths = 1, .execution = {device, n}}, flat);
       }},
      {"evaluate_mean_field",
       [](Device device, int n) {
         evaluate_mean_field(one_layer(), prior_mean_field(one_layer()), flat, 2, 1, {device, n});
       }},
  };
}

TEST(EntryPoints, RefuseThreadsThatNoMachineHas) {
  std::vector<EntryPoint> all = of_every_device();
  for (const EntryPoint& entry : of_the_host()) all.push_back(entry);
  for (const EntryPoint& entry : all) {
    for (const Device device : {Device::cpu(), Device::reference()}) {
      SCOPED_TRACE(entry.name + (" on " + device.name()));
      for (const int threads : {-1, 1025}) {
        EXPECT_EQ(refusal([&] { entry.call(device, threads); }),
                  "threads: got " + std::to_string(threads) + "; accepted: 0 (all), or 1 to 1024");
      }
      EXPECT_EQ(refusal([&] { entry.call(device, 2); }), "accepted");
    }
  }
}

TEST(EntryPoints, TakeADeviceAsAnExecutionOfAllThreads) {
  const Execution execution = Device::reference();
  EXPECT_EQ(execution.device, Device::reference());
  EXPECT_EQ(execution.threads, 0);
  EXPECT_TRUE(Execution(Device::best()).device.automatic());
}

TEST(EntryPoints, OfTheHostRefuseACudaDeviceThatIsAskedFor) {
  for (const EntryPoint& entry : of_the_host()) {
    EXPECT_EQ(refusal([&] { entry.call(Device::cuda(1), 1); }),
              "device: got cuda:1; accepted: auto, cpu or reference: this runs on the CPU")
        << entry.name;
    EXPECT_EQ(refusal([&] { entry.call(Device::best(), 1); }), "accepted") << entry.name;
  }
}

TEST(EntryPoints, RefuseAFunctionThatIsNotThere) {
  Model model;
  model.grid = uniform_grid(1.0, 1);
  const Target target{.dimension = 1, .log_density = flat};
  const std::vector<std::pair<std::string, std::function<void()>>> all{
      {"functional", [&] { multilevel_mean(model, {}, {}, {}, {}); }},
      {"g", [&] { random_mesh_mean(model, {}, {}, {}); }},
      {"log_likelihood", [] { fit_mean_field(one_layer(), {}, {}); }},
      {"log_likelihood",
       [] { evaluate_mean_field(one_layer(), prior_mean_field(one_layer()), {}, 2, 1); }},
      {"target.log_density", [] { train_sampler({}); }},
      {"target.log_density", [&] { run_sampler({}, make_sampler(target), 2, 1); }},
  };
  for (const auto& [field, call] : all) {
    EXPECT_EQ(refusal(call), field + ": got nothing; accepted: a function");
  }
}

}  // namespace
}  // namespace ito::test
