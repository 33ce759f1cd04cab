#include "gate/gate_jobs.hpp"

#include <fmt/format.h>

namespace ito::cuda {
namespace {

std::vector<StandardShape> standard_shapes() {
  std::vector<StandardShape> shapes;
  for (const int state : {2, 4, 8, 32}) {
    for (const int width : {32, 64, 128}) {
      for (const int layers : {1, 2, 3}) {
        for (const Activation activation : {Activation::tanh, Activation::silu, Activation::relu}) {
          shapes.push_back({state, width, layers, activation});
        }
      }
    }
  }
  return shapes;
}

}  // namespace

Model StandardShape::model() const {
  Model model;
  model.state = state;
  model.grid = uniform_grid(1.0, 64);
  model.control =
      FeedbackControl{Mlp{.hidden = std::vector<int>(static_cast<std::size_t>(layers), width),
                          .activation = activation}};
  return model;
}

std::string StandardShape::text() const {
  return fmt::format("d {}, {} x {} {}", state, layers, width, name(activation));
}

std::vector<GateJob> all_jobs() {
  std::vector<GateJob> jobs;
  for (const StandardShape& shape : standard_shapes()) {
    for (const GateTarget& target : gate_targets) {
      for (const Precision precision : {Precision::fp32, Precision::fast}) {
        for (const bool adjoint : {false, true})
          jobs.push_back({shape, target, precision, adjoint});
      }
    }
  }
  return jobs;
}

std::vector<GateJob> covering_jobs() {
  std::vector<GateJob> jobs;
  std::size_t row = 0;
  for (const StandardShape& shape : standard_shapes()) {
    // Activations run fastest in the table, targets turn with the row, precisions with every fourth
    // row, kernels with every eighth: so each meets each.
    const bool adjoint = row / 8 % 2 == 1;
    // Deep fp32 adjoints of width 128 take minutes: those are for `all_jobs`.
    const bool slow = adjoint && shape.width == 128 && shape.layers > 1;
    const auto precision = row / 4 % 2 == 0 && !slow ? Precision::fp32 : Precision::fast;
    jobs.push_back({shape, gate_targets[row % 4], precision, adjoint});
    ++row;
  }
  return jobs;
}

Model LatentJob::model() const {
  const std::vector<int> hidden{width, width};
  Model model;
  model.state = 4;
  model.grid = uniform_grid(1.0, 64);
  model.drift = Mlp{.hidden = hidden};
  model.diffusion = ConstantDiffusion{};
  if (diffusion_net)
    model.diffusion = DiagonalDiffusion{{.hidden = hidden, .output = Activation::sigmoid}, 1, 0.1};
  model.control = DriftControl{{.hidden = hidden, .time = true}};
  return model;
}

std::string LatentJob::text() const {
  return fmt::format("latent-4x{}{}{}", width, diffusion_net ? ", sigma a net" : "",
                     unit_tiles == 1  ? ", units of a tile shared"
                     : unit_tiles > 1 ? ", units of tiles shared"
                                      : "") +
         (own_grids ? ", own grids" : "");
}

std::vector<LatentJob> latent_jobs(bool all) {
  std::vector<LatentJob> jobs;
  for (const bool diffusion_has_net : {false, true}) {
    for (const bool adjoint : {false, true}) {
      if (adjoint && diffusion_has_net && !all) continue;
      for (const Precision precision : {Precision::fast, Precision::fp32})
        jobs.push_back({gate_targets[1], precision, adjoint, diffusion_has_net});
    }
  }
  for (const auto& [width, unit_tiles] : {std::pair{64, 1}, {256, 8}, {512, 8}}) {
    for (const bool adjoint : {false, true}) {
      if (width == 512 && !all) continue;
      for (const Precision precision : {Precision::fast, Precision::fp32})
        jobs.push_back({gate_targets[1], precision, adjoint, false, width, unit_tiles});
    }
  }
  const auto add_own_grids = [&](int target, Precision precision, bool adjoint, int unit_tiles) {
    jobs.push_back({gate_targets[target], precision, adjoint, false, 64, unit_tiles, true});
  };
  add_own_grids(1, Precision::fast, false, 0);  // by warpgroups
  add_own_grids(3, Precision::fp32, false, 0);
  add_own_grids(2, Precision::fp32, false, 8);
  add_own_grids(0, Precision::fast, true, 0);
  add_own_grids(1, Precision::fp32, true, 0);
  add_own_grids(1, Precision::fast, true, 8);
  return jobs;
}

std::vector<TrainingJob> training_jobs() {
  const auto net = [](Mlp shape, int inputs, int outputs, std::size_t rows) {
    std::vector<Tensor> tensors;
    return small_net(append_net(tensors, "net", shape, inputs, 0, 0, outputs), rows,
                     gate_targets[0].shared_memory_per_block);
  };
  const Mlp deep{.hidden = {64, 32, 16}, .activation = Activation::gelu};
  const Mlp last_softplus{.hidden = {40}, .output = Activation::softplus};
  // The nets of examples/digits, in the first.
  return {
      {"binomial, 256 and 128",
       gate_targets[1],
       {Binomial{}, Objective::free_energy,
        net({.hidden = {256}, .activation = Activation::silu}, 64, 64, 100),
        net({.hidden = {128}, .activation = Activation::silu}, 8, 64, 1600)}},
      {"poisson, no nets, rows of their own grids",
       gate_targets[0],
       {Poisson{}, Objective::partially_importance_weighted, {}, {}, true}},
      {"gaussian, three layers",
       gate_targets[2],
       {Gaussian{}, Objective::importance_weighted, net(deep, 20, 7, 1600), net(deep, 3, 5, 9)}},
      {"student, a layer and two",
       gate_targets[3],
       {StudentT{}, Objective::free_energy, net({}, 12, 6, 1600), net(last_softplus, 4, 12, 1600)}},
      {"gaussian of scales, series",
       gate_targets[1],
       {Gaussian{.scales = {1, 2}}, Objective::free_energy, {}, {}, true, true, true, true}},
      {"student of scales, a layer",
       gate_targets[2],
       {StudentT{.scales = {1, 2}}, Objective::importance_weighted, {}, net({}, 4, 12, 1600)}}};
}

std::vector<LayeredJob> layered_jobs() {
  const Mlp net{.hidden = {256, 256}, .activation = Activation::silu};
  const Mlp positive{.hidden = {256}, .output = Activation::softplus};
  Model model;
  model.state = 8;
  model.grid = uniform_grid(1.0, 64);
  std::vector<LayeredJob> jobs;
  const auto add = [&](const char* text, Diffusion diffusion, Control control, int noise = 0) {
    model.diffusion = std::move(diffusion);
    model.control = std::move(control);
    model.noise = noise;
    const std::size_t i = jobs.size();
    jobs.push_back({text, resolve(validated(model)), gate_targets[i % 4],
                    i % 8 < 4 ? Precision::fp32 : Precision::fast});
  };
  model.drift = net;
  add("identity, none", IdentityDiffusion{}, NoControl{});
  add("constant, constant", ConstantDiffusion{}, ConstantControl{});
  add("constant d x m, open loop", ConstantDiffusion{}, OpenLoopControl{net, 4}, 6);
  add("diagonal, drift", DiagonalDiffusion{positive}, DriftControl{net, 16, {0, 32}});
  add("general, feedback", GeneralDiffusion{net}, FeedbackControl{net}, 6);
  model.initial = GaussianInitial{};
  model.state = 32;
  add("identity, feedback", IdentityDiffusion{}, FeedbackControl{net});
  for (const Precision precision : {Precision::fp32, Precision::fast, Precision::fp64}) {
    const std::size_t i = jobs.size();
    jobs.push_back({"between products", {}, gate_targets[i % 4], precision});
  }
  jobs.push_back({"net applied once", {}, gate_targets[jobs.size() % 4], Precision::fp32, true});
  jobs.push_back({"identity, feedback, own grids", resolve(validated(model)), gate_targets[1],
                  Precision::fp32, false, true});
  return jobs;
}

std::vector<SchemeJob> scheme_jobs() {
  const Mlp net{.hidden = {64, 64}};
  Model model;
  model.state = 4;
  model.grid = uniform_grid(1.0, 64);
  model.solver = Solver::heun;
  model.drift = net;
  model.diffusion = ConstantDiffusion{};
  model.control = FeedbackControl{net, 4};
  std::vector<SchemeJob> jobs{{"constant, feedback, stored", resolve(validated(model)),
                               gate_targets[1], Precision::fp32, GradientMethod::adjoint}};
  const auto add = [&](const char* text, Precision precision,
                       std::optional<GradientMethod> method) {
    jobs.push_back(
        {text, resolve(validated(model)), gate_targets[jobs.size() % 4], precision, method});
  };
  add("constant, feedback, pathwise", Precision::fp32, GradientMethod::pathwise);
  add("constant, feedback, tangents", Precision::fast, {});
  model.drift = ZeroDrift{};
  model.diffusion = DiagonalDiffusion{{.output = Activation::softplus}};
  model.control = NoControl{};
  jobs.push_back({"diagonal, none, stochastic adjoint", resolve(validated(model)), gate_targets[0],
                  Precision::fp64, GradientMethod::stochastic_adjoint});
  model.initial = GaussianInitial{};
  model.control = DriftControl{net, 4, {0, 32}};
  add("diagonal, drift, pathwise", Precision::fp64, GradientMethod::pathwise);
  add("diagonal, drift, tangents", Precision::fp32, {});
  model.diffusion = ConstantDiffusion{};
  model.solver = Solver::euler_maruyama;
  for (const Precision precision : {Precision::fp32, Precision::fast}) {
    jobs.push_back({"constant, drift, tangents",
                    resolve(validated(model)),
                    gate_targets[precision == Precision::fp32 ? 1 : 0],
                    precision,
                    {},
                    true});
  }
  jobs.push_back({"constant, drift, tangents, own grids",
                  resolve(validated(model)),
                  gate_targets[1],
                  Precision::fast,
                  {},
                  true,
                  true});
  return jobs;
}

bool must_stay_in_registers(const GateJob& job) {
  const auto& [state, width, layers, activation] = job.shape;
  const bool fast = job.precision == Precision::fast;
  // 255 registers hold neither the activations of 128 units beside those of the next layer in split
  // products, nor the weight gradients of two layers of 128 units, of 32 channels, or of three
  // layers of 64 units in split products.
  if (!job.adjoint) return fast || width <= 64 || layers == 1;
  return state <= 8 && width <= 64 && (fast || width <= 32 || layers <= 2);
}

}  // namespace ito::cuda
