#include <ito/lab/series_data.hpp>

#include <cmath>
#include <vector>

#include <ito/check.hpp>
#include <ito/error.hpp>
#include <ito/series_file.hpp>
#include <ito/standardization.hpp>

#include "lab/made_series.hpp"

namespace ito::lab {
namespace {

/// A standard deviation, which may be 0.
void check_std(const char* field, double value) {
  if (value != 0) check_positive(field, value);
}

}  // namespace

SeriesDataset sample_lorenz(const StochasticLorenz& process, const ObservationPattern& pattern) {
  check_values("lorenz", {process.sigma, process.rho, process.beta}, 3);
  check_values("diffusion", {process.diffusion.begin(), process.diffusion.end()}, 3);
  check_values("start", {process.start.begin(), process.start.end()}, 3);
  check_std("start_std", process.start_std);
  check_std("observation_std", process.observation_std);
  const Coefficients coefficients = [&process](std::span<const double> x, std::span<double> drift,
                                               std::span<double> diffusion) {
    drift[0] = process.sigma * (x[1] - x[0]);
    drift[1] = x[0] * (process.rho - x[2]) - x[1];
    drift[2] = x[0] * x[1] - process.beta * x[2];
    for (std::size_t j = 0; j < 3; ++j)
      diffusion[j] = process.diffusion[j] * (process.proportional ? x[j] : 1.0);
  };
  SeriesDataset data = series_at_times(pattern, 3);
  for (std::size_t i = 0; i < data.count(); ++i) {
    UniformStream normals = stream_of(pattern, i, Draw::start);
    std::vector<double> x(process.start.begin(), process.start.end());
    for (double& coordinate : x) coordinate += process.start_std * draw_normal(normals);
    const std::vector<double> states = simulate(coefficients, std::move(x), data.series[i].times,
                                                process.step, stream_of(pattern, i, Draw::path));
    for (const double number : states) data.series[i].values.push_back(static_cast<float>(number));
  }
  if (process.normalize) {
    const Standardization units = fit_standardization(data);
    data = units.apply(std::move(data));
  }
  add_noise(data, pattern, process.observation_std);
  hide_numbers(data, pattern);
  check_series(data);
  return data;
}

SeriesDataset sample_pendulum(const DampedPendulum& process, const ObservationPattern& pattern) {
  check_values("pendulum", {process.frequency, process.damping, process.diffusion}, 3);
  check_std("start_angle_std", process.start_angle_std);
  check_std("start_velocity_std", process.start_velocity_std);
  check_std("observation_std", process.observation_std);
  const Coefficients coefficients = [&process](std::span<const double> x, std::span<double> drift,
                                               std::span<double> diffusion) {
    drift[0] = x[1];
    drift[1] = -process.frequency * process.frequency * std::sin(x[0]) - process.damping * x[1];
    diffusion[0] = 0;
    diffusion[1] = process.diffusion;
  };
  SeriesDataset data = series_at_times(pattern, 2);
  for (std::size_t i = 0; i < data.count(); ++i) {
    UniformStream normals = stream_of(pattern, i, Draw::start);
    const double angle = process.start_angle_std * draw_normal(normals);
    const double velocity = process.start_velocity_std * draw_normal(normals);
    const std::vector<double> states =
        simulate(coefficients, {angle, velocity}, data.series[i].times, process.step,
                 stream_of(pattern, i, Draw::path));
    for (std::size_t k = 0; k < states.size(); k += 2) {
      data.series[i].values.push_back(static_cast<float>(std::sin(states[k])));
      data.series[i].values.push_back(static_cast<float>(-std::cos(states[k])));
    }
  }
  add_noise(data, pattern, process.observation_std);
  hide_numbers(data, pattern);
  check_series(data);
  return data;
}

MotionCapture read_mocap(const std::filesystem::path& folder) {
  const auto read = [&folder](const char* file) {
    return read_series(folder / file, {.step = 0.01});
  };
  return {read("mocap35_train.npy"), read("mocap35_val.npy"), read("mocap35_test.npy")};
}

}  // namespace ito::lab
