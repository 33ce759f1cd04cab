#include "workload.hpp"

#include <fmt/format.h>

#include <cmath>
#include <numeric>

namespace bench {

namespace {

constexpr std::uint64_t paths_per_observation = 16;

/// Steps between half and one and a half of the shared ones, with one save step at the end.
ito::GridRows grids_of(const Workload& workload) {
  if (!workload.own_grids) return {};
  std::vector<ito::ObservationGrid> grids(workload.paths / paths_per_observation);
  for (std::size_t r = 0; r < grids.size(); ++r) {
    grids[r].times.assign(1, 0.0);
    for (int k = 1; k <= workload.steps; ++k) {
      const double shift = 0.25 * std::sin(static_cast<double>(k) * static_cast<double>(r + 1));
      grids[r].times.push_back((k + (k < workload.steps ? shift : 0.0)) / workload.steps);
    }
    grids[r].save = {workload.steps};
  }
  return ito::grid_rows<float>(model_of(workload), grids);
}

}  // namespace

std::string Workload::name() const {
  return fmt::format(
             "diffusion={}/d={}/hidden={}/layers={}/activation={}/paths={}/steps={}/threads={}",
             diffusion_net ? "mlp" : "const", state, hidden, layers, ito::name(activation), paths,
             steps, threads) +
         (own_grids ? "/grids=own" : "");
}

ito::Model model_of(const Workload& workload) {
  const std::vector<int> hidden(static_cast<std::size_t>(workload.layers), workload.hidden);
  const auto net = [&](bool time, ito::Activation output = ito::Activation::identity) {
    return ito::Mlp{
        .hidden = hidden, .activation = workload.activation, .output = output, .time = time};
  };
  ito::Diffusion diffusion = ito::ConstantDiffusion{};
  if (workload.diffusion_net) {
    diffusion = ito::DiagonalDiffusion{net(/*time=*/false, ito::Activation::sigmoid), /*scale=*/1.0,
                                       /*floor=*/0.1};
  }
  return {
      .state = workload.state,
      .grid = ito::uniform_grid(/*horizon=*/1.0, workload.steps),
      .drift = net(/*time=*/false),
      .diffusion = diffusion,
      .control = ito::DriftControl{net(/*time=*/true)},
  };
}

ito::Parameters parameters_of(const ito::Model& model) {
  ito::Parameters parameters = ito::zero_parameters(model);
  const auto fill = [&](const ito::Tensor& tensor, double scale) {
    for (std::size_t i = tensor.offset; i < tensor.offset + tensor.size; ++i) {
      const auto k = static_cast<double>(i + 1);
      parameters.values()[i] = static_cast<float>(scale * std::sin(k * k));
    }
  };
  for (const ito::Tensor& tensor : parameters.tensors()) {
    if (tensor.name == "diffusion.value") {
      for (float& sigma : parameters[tensor.name]) sigma = 1.0F;
    } else if (tensor.shape.size() == 2) {
      fill(tensor, std::sqrt(2.0 / static_cast<double>(tensor.shape[1])));
    } else {
      fill(tensor, 0.1);
    }
  }
  return parameters;
}

Run::Run(const Workload& workload)
    : workload_(workload),
      plan_(model_of(workload), {ito::Device::cpu(), workload.threads}),
      parameters_(parameters_of(plan_.model())),
      grids_(grids_of(workload)),
      request_{.paths = workload.paths,
               .seed = 7,
               .paths_per_observation = workload.own_grids ? paths_per_observation : 0,
               .grid = grids_.steps,
               .save = grids_.save},
      states_(workload.paths * static_cast<std::size_t>(workload.state)),
      energy_(workload.paths),
      martingale_(workload.paths),
      workspace_(plan_.workspace_bytes(
          workload.paths, workload.own_grids ? workload.paths / paths_per_observation : 1)) {}

ito::Outputs Run::outputs() {
  return {.states = states_, .energy = energy_, .martingale = martingale_};
}

void Run::simulate() { plan_.simulate(parameters_, request_, outputs(), workspace_); }

void Run::simulate_and_differentiate() {
  const float share = 1.0F / static_cast<float>(workload_.paths);
  state_cotangents_.resize(states_.size());
  energy_cotangents_.assign(energy_.size(), share);
  gradient_.resize(plan_.parameter_count());
  const ito::Recording recording = plan_.record(parameters_, request_, outputs(), workspace_);
  for (std::size_t i = 0; i < states_.size(); ++i) state_cotangents_[i] = 2 * share * states_[i];
  plan_.adjoint(parameters_, recording, {.states = state_cotangents_, .energy = energy_cotangents_},
                {.parameters = gradient_});
}

double Run::loss() const {
  const double squares = std::transform_reduce(states_.begin(), states_.end(), 0.0, std::plus<>(),
                                               [](float x) { return static_cast<double>(x) * x; });
  const double energy = std::accumulate(energy_.begin(), energy_.end(), 0.0);
  return (squares + energy) / static_cast<double>(workload_.paths);
}

}  // namespace bench
