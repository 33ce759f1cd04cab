#include <cmath>

#include <ito/check.hpp>
#include <ito/lab/series_data.hpp>

#include "lab/linear_system.hpp"
#include "lab/made_series.hpp"

namespace ito::lab {
namespace {

Vector draw_normals(UniformStream& uniforms, Eigen::Index count) {
  Vector normals(count);
  for (double& normal : normals) normal = draw_normal(uniforms);
  return normals;
}

}  // namespace

SeriesDataset sample_linear(const LinearGaussianModel& model, const ObservationPattern& pattern) {
  const LinearSystem system(model);
  const Eigen::Index d = system.start_mean.size(), columns = system.offset.size();
  const Matrix start_root = square_root(system.start_covariance);
  const Matrix noise_root = square_root(system.observation_covariance);
  SeriesDataset data =
      series_at_times(pattern, static_cast<std::size_t>(columns), model.start_time);
  for (std::size_t i = 0; i < data.count(); ++i) {
    UniformStream start = stream_of(pattern, i, Draw::start);
    UniformStream path = stream_of(pattern, i, Draw::path);
    UniformStream noise = stream_of(pattern, i, Draw::noise);
    Vector x = system.start_mean + start_root * draw_normals(start, d);
    double before = model.start_time;
    for (const double time : data.series[i].times) {
      const LinearTransition step = system.exact(time - before);
      before = time;
      x = step.propagator * x + step.shift + square_root(step.covariance) * draw_normals(path, d);
      const Vector y =
          system.readout * x + system.offset + noise_root * draw_normals(noise, columns);
      for (const double number : y) data.series[i].values.push_back(static_cast<float>(number));
    }
  }
  hide_numbers(data, pattern);
  return data;
}

LinearGaussianModel linear_model(const OrnsteinUhlenbeck& process) {
  check_integer("dimension", process.dimension, state_range);
  check_positive("rate", process.rate);
  check_values("mean", {process.mean}, 1);
  check_positive("std", process.std);
  check_positive("observation_std", process.observation_std);
  const auto d = static_cast<std::size_t>(process.dimension);
  const auto diagonal = [d](double number) {
    std::vector<double> matrix(d * d);
    for (std::size_t i = 0; i < d; ++i) matrix[i * d + i] = number;
    return matrix;
  };
  const auto vector = [d](double number) { return std::vector<double>(d, number); };
  const double variance = process.std * process.std;
  return {.state = process.dimension,
          .noise = process.dimension,
          .observed = process.dimension,
          .drift = diagonal(-process.rate),
          .shift = vector(process.rate * process.mean),
          .diffusion = diagonal(std::sqrt(2 * process.rate * variance)),
          .start_mean = vector(process.mean),
          .start_covariance = diagonal(variance),
          .readout = diagonal(1),
          .observation_covariance = diagonal(process.observation_std * process.observation_std)};
}

}  // namespace ito::lab
