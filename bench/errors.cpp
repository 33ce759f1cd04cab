#include <cmath>

#include "rows.hpp"
#include "workload.hpp"

namespace bench {
namespace {

constexpr std::uint64_t paths = 64;

template <class Real>
struct Answer {
  ito::BasicRecording<Real> recording;
  ito::BasicGradient<Real> gradient;
};

/// The workload's paths and the gradient of its loss.
template <class Real>
Answer<Real> answer(const ito::Model& model, ito::Device device) {
  ito::BasicPlan<Real> plan(model, device);
  const ito::Parameters values = parameters_of(plan.model());
  const std::vector<Real> parameters(values.values().begin(), values.values().end());
  auto recording = plan.record(parameters, {.paths = paths, .seed = 7});
  std::vector<Real> states = recording.paths().states();
  const std::vector<Real> energy(paths, Real{1} / Real{paths});
  for (Real& x : states) x *= Real{2} / Real{paths};
  auto gradient = plan.adjoint(parameters, recording, {.states = states, .energy = energy});
  return {std::move(recording), std::move(gradient)};
}

/// |a − b| / |b|
double relative_distance(const std::vector<float>& a, const std::vector<double>& b) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    size += b[i] * b[i];
  }
  return std::sqrt(difference / size);
}

void compare(benchmark::State& state, const Workload& workload) {
  const ito::Model model = model_of(workload);
  const auto exact = answer<double>(model, ito::Device::reference());
  Answer<float> ours;
  for ([[maybe_unused]] auto _ : state) ours = answer<float>(model, ito::Device::cpu());
  const auto& got = ours.recording.paths();
  const auto& wanted = exact.recording.paths();
  state.counters["states"] = relative_distance(got.states(), wanted.states());
  state.counters["energy"] = relative_distance(got.energy(), wanted.energy());
  state.counters["martingale"] = relative_distance(got.martingale(), wanted.martingale());
  state.counters["gradient"] =
      relative_distance(ours.gradient.parameters, exact.gradient.parameters);
}

}  // namespace

void add_errors() {
  for (const bool diffusion_net : {false, true}) {
    const Workload workload{.diffusion_net = diffusion_net, .paths = paths};
    add_row("error/" + workload.name(),
            [workload](benchmark::State& state) { compare(state, workload); });
  }
}

}  // namespace bench
