#include <ito/random_mesh.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include <ito/error.hpp>

#include "engine/engine.hpp"
#include "inference/averages.hpp"
#include "inference/draws.hpp"
#include "model/check.hpp"
#include "model/model_json.hpp"
#include "model/shape.hpp"
#include "model/sizes.hpp"

namespace ito {
namespace {

/// A net of (x, t) with t as one more input, applied to rows.
class RowNet {
 public:
  RowNet(const NetShape& shape, Device device, int threads)
      : state_(shape.state_inputs), time_(shape.time_inputs), outputs_(shape.outputs()) {
    NetShape flat = shape;
    flat.state_inputs = state_ + time_;
    flat.time_inputs = 0;
    net_ = make_network(flat, device, threads);
  }

  /// sum [rows, d] += net(x, t).
  void add(std::span<const float> parameters, std::span<const double> x, std::span<const double> t,
           std::span<double> sum) {
    const std::size_t rows = t.size(), d = x.size() / rows;
    inputs_.clear();
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t j = 0; j < static_cast<std::size_t>(state_); ++j) {
        inputs_.push_back(static_cast<float>(x[i * d + j]));
      }
      if (time_ > 0) inputs_.push_back(static_cast<float>(t[i]));
    }
    out_.resize(rows * static_cast<std::size_t>(outputs_));
    net_->forward(parameters, inputs_, out_);
    for (std::size_t i = 0; i < out_.size(); ++i) sum[i] += static_cast<double>(out_[i]);
  }

 private:
  int state_, time_, outputs_;
  std::unique_ptr<Network> net_;
  std::vector<float> inputs_, out_;
};

/// b + u at rows of (x, t).
class TotalDrift {
 public:
  TotalDrift(const ModelShape& shape, std::span<const float> parameters, Device device, int threads)
      : shape_(shape), parameters_(parameters) {
    if (shape.drift && shape.control != ControlKind::drift) {
      nets_.emplace_back(*shape.drift, device, threads);
    }
    if (shape.control_net) nets_.emplace_back(*shape.control_net, device, threads);
  }

  void operator()(std::span<const double> x, std::span<const double> t, std::span<double> b) {
    const auto d = static_cast<std::size_t>(shape_.state);
    for (std::size_t i = 0; i < b.size(); ++i) {
      b[i] = shape_.control == ControlKind::constant
                 ? static_cast<double>(parameters_[shape_.control_value + i % d])
                 : 0.0;
    }
    for (RowNet& net : nets_) net.add(parameters_, x, t, b);
  }

 private:
  const ModelShape& shape_;
  std::span<const float> parameters_;
  std::vector<RowNet> nets_;
};

/// The times between points: draws, density and tail.
struct Renewal {
  Mesh mesh;
  double horizon;

  double draw(double uniform) const {
    if (const auto* exponential = std::get_if<ExponentialMesh>(&mesh)) {
      return -std::log(uniform) / exponential->rate;
    }
    return uniform * std::get<UniformMesh>(mesh).length * horizon;
  }
  double density(double s) const {
    if (const auto* exponential = std::get_if<ExponentialMesh>(&mesh)) {
      return exponential->rate * std::exp(-exponential->rate * s);
    }
    return 1 / (std::get<UniformMesh>(mesh).length * horizon);
  }
  double tail(double s) const {
    if (const auto* exponential = std::get_if<ExponentialMesh>(&mesh)) {
      return std::exp(-exponential->rate * s);
    }
    return 1 - s / (std::get<UniformMesh>(mesh).length * horizon);
  }
};

/// One path between two points of its mesh.
struct MeshPath {
  std::uint64_t index;
  UniformStream uniforms;
  double time, last = 0;            ///< T_k and ΔT_k
  double weight = 1;                ///< the product so far
  double before = 0;                ///< g(X_{T_N}) once there is a point
  std::vector<double> x, previous;  ///< X_{T_k}, b_{k−1}
  int points = 0;
};

void check(const Model& model, const RandomMeshOptions& options) {
  const auto* identity = std::get_if<IdentityDiffusion>(&model.diffusion);
  if (!identity) {
    throw Error("diffusion.kind", '"' + kind_name(model.diffusion) + '"',
                "\"identity\": the estimator needs σ = I");
  }
  if (identity->scale != 1) {
    throw Error("diffusion.scale", fmt::format("{}", identity->scale),
                "1: the estimator needs σ = I");
  }
  if (std::holds_alternative<GaussianInitial>(model.initial)) {
    throw Error("initial", "gaussian", "point or learned");
  }
  std::visit(
      [](const auto& control) {
        if constexpr (requires { control.context; }) {
          if (control.context > 0) {
            throw Error("control.context", fmt::format("{}", control.context), "0");
          }
        }
      },
      model.control);
  check_paths("paths", options.paths, 2);
  if (const auto* exponential = std::get_if<ExponentialMesh>(&options.mesh)) {
    constexpr double most_points = 1e6;  // a path, on average
    const double most = most_points / (model.grid.back() - model.grid.front());
    if (!(exponential->rate > 0 && exponential->rate <= most)) {
      throw Error(
          "mesh.rate", fmt::format("{}", exponential->rate),
          fmt::format("numbers above 0, up to {:g}: {:g} points a path", most, most_points));
    }
  } else if (!(std::get<UniformMesh>(options.mesh).length > 1)) {
    throw Error("mesh.length", fmt::format("{}", std::get<UniformMesh>(options.mesh).length),
                "numbers above 1: some path has to reach the horizon without a point");
  }
}

class RandomMeshRun {
 public:
  RandomMeshRun(const ModelShape& shape, std::span<const float> parameters,
                const std::function<double(std::span<const double>)>& g,
                const RandomMeshOptions& options)
      : shape_(shape),
        g_(g),
        options_(options),
        drift_(shape, parameters, host_device(options.device), options.threads),
        start_(static_cast<std::size_t>(shape.state)) {
    for (std::size_t j = 0; j < start_.size(); ++j) {
      start_[j] = shape.initial == InitialKind::point
                      ? shape.initial_point[j]
                      : static_cast<double>(parameters[shape.initial_value + j]);
    }
    renewal_ = {options.mesh, shape.grid.back() - shape.grid.front()};
  }

  RandomMeshEstimate run() {
    constexpr std::uint64_t batch = 4096;
    for (std::uint64_t first = 0; first < options_.paths; first += batch) {
      run_batch(first, std::min(batch, options_.paths - first));
    }
    return {values_.mean(), values_.error(), points_ / static_cast<double>(options_.paths)};
  }

 private:
  /// All paths of a batch move from point to point together, so that the nets see rows.
  void run_batch(std::uint64_t first, std::uint64_t count) {
    std::vector<MeshPath> paths;
    for (std::uint64_t i = 0; i < count; ++i) {
      paths.push_back({first + i,
                       UniformStream(options_.seed, first + i, 0),
                       shape_.grid.front(),
                       0,
                       1,
                       0,
                       start_,
                       {},
                       0});
    }
    const std::size_t d = start_.size();
    while (!paths.empty()) {
      std::vector<double> x, t, b(paths.size() * d);
      for (const MeshPath& path : paths) {
        x.insert(x.end(), path.x.begin(), path.x.end());
        t.push_back(path.time);
      }
      drift_(x, t, b);
      std::vector<MeshPath> going;
      for (std::size_t i = 0; i < paths.size(); ++i) {
        if (advance(paths[i], std::span(b).subspan(i * d, d))) going.push_back(std::move(paths[i]));
      }
      paths = std::move(going);
    }
  }

  /// To the path's next point, or to the horizon, where it ends.
  bool advance(MeshPath& path, std::span<const double> b) {
    const double left = shape_.grid.back() - path.time;
    const double drawn = renewal_.draw(path.uniforms.next());
    const bool ends = drawn >= left;
    const double h = ends ? left : drawn;
    double product = 0;  // (b_k − b_{k−1})·ΔW_{k+1}
    for (std::size_t j = 0; j < b.size(); ++j) {
      const double w = std::sqrt(h) * draw_normal(path.uniforms);
      if (path.points > 0) product += (b[j] - path.previous[j]) * w;
      path.x[j] += b[j] * h + w;
    }
    if (path.points > 0) path.weight *= product / (h * renewal_.density(path.last));
    if (ends) {
      const double value =
          path.weight / renewal_.tail(left) * (g_(path.x) - (path.points > 0 ? path.before : 0.0));
      if (!std::isfinite(value)) {
        throw Error("g", fmt::format("{} of path {}", value, path.index),
                    "a finite number for every path");
      }
      values_.add(value);
      points_ += path.points;
      return false;
    }
    path.previous.assign(b.begin(), b.end());
    path.time += h;
    path.last = h;
    path.before = g_(path.x);
    ++path.points;
    return true;
  }

  const ModelShape& shape_;
  const std::function<double(std::span<const double>)>& g_;
  const RandomMeshOptions& options_;
  TotalDrift drift_;
  std::vector<double> start_;
  Renewal renewal_{};
  Averages values_;
  double points_ = 0;
};

}  // namespace

RandomMeshEstimate random_mesh_mean(const Model& model, std::span<const float> parameters,
                                    const std::function<double(std::span<const double>)>& g,
                                    const RandomMeshOptions& options) {
  check_function("g", g);
  const ModelShape shape = resolve(model);
  check(model, options);
  if (parameters.size() < shape.parameters) {
    throw Error("parameters", fmt::format("{} numbers", parameters.size()),
                fmt::format("at least {}, the model's own first", shape.parameters));
  }
  return RandomMeshRun(shape, parameters, g, options).run();
}

}  // namespace ito
