#include <ito/lab/random_mesh.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <type_traits>
#include <variant>
#include <vector>

#include <ito/averages.hpp>
#include <ito/check.hpp>
#include <ito/error.hpp>
#include <ito/network.hpp>
#include <ito/noise.hpp>
#include <ito/parameters.hpp>

namespace ito::lab {
namespace {

/// A net of x, t or both, applied to rows.
class RowNet {
 public:
  RowNet(const Mlp& net, bool takes_state, int state, std::span<const float> parameters,
         const RandomMeshOptions& options)
      : state_(takes_state ? static_cast<std::size_t>(state) : 0),
        time_(net.time),
        parameters_(parameters),
        net_(make_network(net, static_cast<int>(state_) + (time_ ? 1 : 0), state,
                          options.execution)) {}

  /// sum [rows, d] += net(x, t).
  void add(std::span<const double> x, std::span<const double> t, std::span<double> sum) {
    const std::size_t rows = t.size(), d = x.size() / rows;
    inputs_.clear();
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t j = 0; j < state_; ++j) inputs_.push_back(static_cast<float>(x[i * d + j]));
      if (time_) inputs_.push_back(static_cast<float>(t[i]));
    }
    out_.resize(sum.size());
    net_->forward(parameters_, inputs_, out_);
    for (std::size_t i = 0; i < out_.size(); ++i) sum[i] += static_cast<double>(out_[i]);
  }

 private:
  std::size_t state_;
  bool time_;
  std::span<const float> parameters_;
  std::unique_ptr<Network> net_;
  std::vector<float> inputs_, out_;
};

/// b + u at rows of (x, t).
class TotalDrift {
 public:
  TotalDrift(const Model& model, std::span<const float> parameters,
             const RandomMeshOptions& options)
      : control_(static_cast<std::size_t>(model.state)) {
    // The control's parameters are the model's last.
    const auto of_control = parameters.subspan(zero_parameters(prior(model)).size());
    if (const auto* net = std::get_if<Mlp>(&model.drift);
        net && !std::holds_alternative<DriftControl>(model.control)) {
      const std::size_t before =
          std::holds_alternative<LearnedInitial>(model.initial) ? control_.size() : 0;
      nets_.emplace_back(*net, true, model.state, parameters.subspan(before), options);
    }
    std::visit(
        [&]<class Kind>(const Kind& control) {
          if constexpr (requires { control.net; }) {
            nets_.emplace_back(control.net, !std::is_same_v<Kind, OpenLoopControl>, model.state,
                               of_control, options);
          } else if constexpr (std::is_same_v<Kind, ConstantControl>) {
            std::ranges::copy(of_control.first(control_.size()), control_.begin());
          }
        },
        model.control);
  }

  void operator()(std::span<const double> x, std::span<const double> t, std::span<double> b) {
    for (std::size_t i = 0; i < b.size(); ++i) b[i] = control_[i % control_.size()];
    for (RowNet& net : nets_) net.add(x, t, b);
  }

 private:
  std::vector<double> control_;  ///< the constant one, or zeros
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
    const char* const kinds[] = {"identity", "constant", "diagonal", "general"};
    throw Error("diffusion.kind", fmt::format("\"{}\"", kinds[model.diffusion.index()]),
                "\"identity\": the estimator needs σ = I");
  }
  if (identity->scale != 1) {
    throw Error("diffusion.scale", fmt::format("{}", identity->scale),
                "1: the estimator needs σ = I");
  }
  if (std::holds_alternative<GaussianInitial>(model.initial)) {
    throw Error("initial", "gaussian", "point or learned");
  }
  if (model.inputs > 0) {
    throw Error("inputs", fmt::format("{}", model.inputs), "0: a mesh has no steps for them");
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
  RandomMeshRun(const Model& model, std::span<const float> parameters,
                const std::function<double(std::span<const double>)>& g,
                const RandomMeshOptions& options)
      : begin_(model.grid.front()),
        end_(model.grid.back()),
        g_(g),
        options_(options),
        drift_(model, parameters, options),
        start_(static_cast<std::size_t>(model.state)),
        renewal_{options.mesh, end_ - begin_} {
    if (std::holds_alternative<LearnedInitial>(model.initial)) {
      std::ranges::copy(parameters.first(start_.size()), start_.begin());
    } else if (const auto& value = std::get<PointInitial>(model.initial).value; !value.empty()) {
      start_ = value;
    }
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
      paths.push_back(
          {first + i, UniformStream(options_.seed, first + i, 0), begin_, 0, 1, 0, start_, {}, 0});
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
    const double left = end_ - path.time;
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

  double begin_, end_;
  const std::function<double(std::span<const double>)>& g_;
  const RandomMeshOptions& options_;
  TotalDrift drift_;
  std::vector<double> start_;
  Renewal renewal_;
  Averages values_;
  double points_ = 0;
};

}  // namespace

RandomMeshEstimate random_mesh_mean(const Model& model, std::span<const float> parameters,
                                    const RandomMeshOptions& options,
                                    const std::function<double(std::span<const double>)>& g) {
  check_function("g", g);
  const Model whole = validated(model);
  check(whole, options);
  const std::size_t wanted = zero_parameters(whole).size();
  check_parameters(parameters.size(), wanted);
  RandomMeshOptions served = options;
  served.execution = on_host(options.execution);
  return RandomMeshRun(whole, parameters.first(wanted), g, served).run();
}

}  // namespace ito::lab
