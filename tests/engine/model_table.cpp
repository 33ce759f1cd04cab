#include "engine/model_table.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <stdexcept>

namespace ito::test {
namespace {

constexpr Activation hidden_activations[] = {
    Activation::tanh,     Activation::relu, Activation::softplus, Activation::silu,
    Activation::lipswish, Activation::gelu, Activation::sigmoid,  Activation::identity};

template <class T, std::size_t N>
const T& cycle(const T (&list)[N], std::size_t i) {
  return list[i % N];
}

/// 8 steps whose sizes differ by up to a factor 5.
std::vector<double> uneven_grid() { return {0.0, 0.05, 0.2, 0.25, 0.5, 0.6, 0.8, 0.9, 1.0}; }

Mlp net(std::vector<int> hidden, Activation activation, bool time = true,
        Activation output = Activation::identity) {
  return {std::move(hidden), activation, output, time};
}

struct Named {
  std::string name;
};
struct NamedDrift : Named {
  Drift value;
};
struct NamedDiffusion : Named {
  Diffusion value;
  bool rectangular = false;
  bool diagonal = true;
};
struct NamedControl : Named {
  Control value;
};

std::vector<NamedDrift> drifts(std::size_t i) {
  return {{{"zero"}, ZeroDrift{}},
          {{"affine"}, net({}, Activation::tanh, i % 2 == 0)},
          {{"mlp"}, net({5}, cycle(hidden_activations, i), i % 3 != 0)},
          {{"deep"}, net({4, 6, 3}, cycle(hidden_activations, i + 3))}};
}

std::vector<NamedDiffusion> diffusions(std::size_t i) {
  const Activation hidden = cycle(hidden_activations, i + 1);
  return {
      {{"identity"}, IdentityDiffusion{0.7}},
      {{"constant"}, ConstantDiffusion{}},
      {{"constant_rectangular"}, ConstantDiffusion{{}, Activation::tanh, 0.8, 0.1}, true, false},
      {{"diagonal"},
       DiagonalDiffusion{net({4}, hidden, i % 2 == 1, Activation::softplus), 0.8, 0.05}},
      {{"general"}, GeneralDiffusion{net({5}, hidden), 0.6, 0.1}, false, false},
      {{"general_rectangular"},
       GeneralDiffusion{net({4}, hidden, i % 2 == 0, Activation::tanh), 0.5},
       true,
       false}};
}

std::vector<NamedControl> controls(std::size_t i) {
  const Activation hidden = cycle(hidden_activations, i + 2);
  return {{{"none"}, NoControl{}},
          {{"constant"}, ConstantControl{}},
          {{"open_loop"}, OpenLoopControl{net({4}, hidden), 2}},
          {{"feedback"}, FeedbackControl{net({6}, hidden, i % 2 == 0), 0}},
          {{"drift"}, DriftControl{net({3, 4}, hidden), 3, {0, 3}}}};
}

/// Numbers the rows, so that seeds and the cycled choices differ.
class Table {
 public:
  void add(ModelCase row) {
    row.seed = 1000 + rows_.size();
    rows_.push_back(std::move(row));
  }
  std::size_t size() const { return rows_.size(); }
  std::vector<ModelCase> take() { return std::move(rows_); }

 private:
  std::vector<ModelCase> rows_;
};

/// All kinds with all kinds; grids, saves and initial states take turns.
void add_kinds(Table& table) {
  for (std::size_t b = 0; b < drifts(0).size(); ++b) {
    for (std::size_t s = 0; s < diffusions(0).size(); ++s) {
      for (std::size_t u = 0; u < controls(0).size(); ++u) {
        const std::size_t i = table.size();
        const NamedDrift drift = drifts(i)[b];
        const NamedDiffusion diffusion = diffusions(i)[s];
        const NamedControl control = controls(i)[u];
        if (control.name == "drift" && !diffusion.diagonal) continue;
        Model model;
        model.state = diffusion.rectangular ? (i % 2 == 0 ? 2 : 4) : 3;
        model.noise = diffusion.rectangular ? (i % 2 == 0 ? 4 : 2) : 0;
        model.grid = i % 2 == 0 ? uneven_grid() : uniform_grid(1.0, 6);
        model.save = std::vector<std::vector<int>>{{}, {2, 5}, {0, 3, 4, 6}}[i % 3];
        model.initial =
            std::vector<Initial>{PointInitial{}, LearnedInitial{}, GaussianInitial{}}[i % 3];
        model.drift = drift.value;
        model.diffusion = diffusion.value;
        model.control = control.value;
        table.add({drift.name + "_" + diffusion.name + "_" + control.name, model,
                   static_cast<X0>(i / 3 % 3)});
      }
    }
  }
}

Model small_model() {
  Model model;
  model.state = 3;
  model.grid = uneven_grid();
  model.save = {0, 4, 8};
  model.initial = GaussianInitial{};
  model.drift = net({5}, Activation::tanh);
  model.diffusion =
      DiagonalDiffusion{net({4}, Activation::tanh, true, Activation::softplus), 0.8, 0.05};
  model.control = FeedbackControl{net({4}, Activation::tanh), 0};
  return model;
}

/// Every activation in hidden layers and on outputs of the three nets.
void add_activations(Table& table) {
  for (const Activation f : hidden_activations) {
    const std::string text(name(f));
    Model model = small_model();
    model.drift = net({5}, f, true, Activation::tanh);
    model.diffusion = GeneralDiffusion{net({4}, f), 0.5};
    model.control = FeedbackControl{net({4}, f), 0};
    table.add({"hidden_" + text, model});
    model.drift = net({5}, Activation::tanh, true, f);
    model.diffusion = DiagonalDiffusion{net({4}, Activation::tanh, true, f), 0.6, 0.2};
    model.control = FeedbackControl{net({4}, Activation::tanh, true, f), 0};
    table.add({"output_" + text, model});
    model.diffusion = ConstantDiffusion{{}, f, 0.6, 0.2};
    table.add({"constant_" + text, model});
  }
  Model model = small_model();
  model.diffusion = DiagonalDiffusion{net({4}, Activation::tanh, true, Activation::exp), 0.5};
  table.add({"output_exp", model});
  model.control = DriftControl{net({4}, Activation::tanh), 0};
  table.add({"output_exp_drift_control", model});
  model.diffusion = ConstantDiffusion{{}, Activation::exp, 0.5};
  table.add({"constant_exp", model});
  model.diffusion = GeneralDiffusion{net({4}, Activation::tanh, true, Activation::exp), 0.2};
  model.control = NoControl{};
  table.add({"general_exp", model});
}

void add_context(Table& table) {
  Model model = small_model();
  model.control = FeedbackControl{net({4}, Activation::tanh), 5};
  table.add({"context_of_one", model});
  table.add({"context_of_three", model, X0::per_path, 3, 0, 32});
  model.control = FeedbackControl{net({4}, Activation::tanh), 2, {0, 1, 2, 3, 4, 5, 6, 7}};
  table.add({"context_every_step", model, X0::shared});
  model.control = FeedbackControl{net({}, Activation::tanh), 3, {0, 5}};
  table.add({"context_affine", model, X0::from_model, 3});
  model.control = OpenLoopControl{net({4}, Activation::softplus, false), 2, {0, 6}};
  table.add({"context_open_loop_without_time", model, X0::from_model, 3});
  model.control = OpenLoopControl{net({}, Activation::tanh), 1};
  table.add({"context_open_loop_affine", model, X0::per_path, 2});
  model.control = DriftControl{net({4, 4}, Activation::silu), 17, {0, 2, 3}};
  table.add({"context_wide_drift", model, X0::from_model, 2});
}

/// Inputs that drift and control share, one alone, and both in one row with a context.
void add_inputs(Table& table) {
  Model model = small_model();
  model.inputs = 2;
  model.input_steps = {0, 3, 4};
  model.control = FeedbackControl{net({4}, Activation::tanh), 3};
  table.add({"inputs_and_context", model, X0::per_path, 3, 0, 32});
  model.control = DriftControl{net({3, 4}, Activation::silu), 0};
  table.add({"inputs_drift_control", model, X0::from_model, 2});
  model.control = OpenLoopControl{net({}, Activation::tanh, false), 1};
  model.drift = ZeroDrift{};
  table.add({"inputs_of_the_control", model});
  model.inputs = 3;
  model.input_steps = {};
  model.drift = net({}, Activation::tanh, false);
  model.control = ConstantControl{};
  model.diffusion = GeneralDiffusion{net({5}, Activation::tanh), 0.5};
  table.add({"inputs_affine_constant", model, X0::from_model, 2});
}

void add_corners(Table& table) {
  Model model = small_model();
  model.save = {8};
  table.add({"first_path_17", model, X0::per_path, 1, 0, 17});
  model.save = {0};
  table.add({"save_start_only", model});
  model.save = {};
  for (int k = 0; k <= 8; ++k) model.save.push_back(k);
  table.add({"save_every_step", model, X0::per_path});
  model.save = {3};
  model.grid = {-2.0, -1.5, -1.4, -0.2, 0.7, 3.0};
  table.add({"grid_from_negative_times", model});
  model = small_model();
  model.grid = {0.0, 0.3};
  model.save = {};
  table.add({"one_step", model, X0::shared});
  model = small_model();
  model.state = 1;
  table.add({"one_dimension", model});
  model.state = 2;
  model.noise = 1;
  model.diffusion = GeneralDiffusion{net({4}, Activation::tanh), 0.7};
  table.add({"one_noise_two_states", model});
  model.state = 1;
  model.noise = 3;
  table.add({"three_noises_one_state", model});
  // Every entry of σ depends on every coordinate.
  model.state = 4;
  model.noise = 4;
  model.drift = ZeroDrift{};
  model.diffusion =
      DiagonalDiffusion{net({8}, Activation::tanh, false, Activation::sigmoid), 1.5, 0.1};
  model.control = NoControl{};
  model.grid = uniform_grid(1.0, 12);
  table.add({"diffusion_mixes_coordinates", model, X0::per_path});
}

}  // namespace

std::vector<double> random_values(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 generator(seed);
  std::vector<double> values(count);
  // 24 bits: a float32 value away from ±1.
  for (double& v : values) v = (static_cast<double>(generator() >> 40) + 0.5) * 0x1p-23 - 1.0;
  for (double& v : values) v = static_cast<float>(v);
  return values;
}

std::vector<double> random_parameters(const Model& model, std::uint64_t seed) {
  const Parameters layout = zero_parameters(model);
  std::vector<double> values = random_values(layout.size(), seed);
  for (const Tensor& tensor : layout.tensors()) {
    double scale = 0.5, centre = 0.0;
    if (tensor.name.ends_with(".weight")) {
      scale = 1.5 / std::sqrt(static_cast<double>(tensor.shape[1]));
    } else if (tensor.name == "diffusion.value") {
      scale = 0.3, centre = 0.7;
    }
    for (std::size_t i = tensor.offset; i < tensor.offset + tensor.size; ++i) {
      values[i] = static_cast<float>(centre + scale * values[i]);
    }
  }
  return values;
}

ChainInputs ModelCase::inputs(std::uint64_t paths) const {
  return {random_parameters(model, seed), call(paths).context};
}

Call ModelCase::call(std::uint64_t paths) const {
  Call out;
  out.paths = paths;
  out.seed = seed * 0x9E3779B97F4A7C15u;
  out.first_path = first_path;
  const auto d = static_cast<std::size_t>(model.state);
  if (x0 == X0::shared) out.x0 = random_values(d, seed + 1);
  if (x0 == X0::per_path) out.x0 = random_values(paths * d, seed + 2);
  if (observations > 1) {
    out.paths_per_observation = 16 * ((paths + 16 * observations - 1) / (16 * observations));
  }
  const std::size_t row = TextbookChain(model).context_size();
  out.context = random_values(out.observations() * row, seed + 3);
  return out;
}

const std::vector<ModelCase>& model_table() {
  static const std::vector<ModelCase> all = [] {
    Table table;
    add_kinds(table);
    add_activations(table);
    add_context(table);
    add_inputs(table);
    add_corners(table);
    return table.take();
  }();
  return all;
}

std::vector<ModelCase> model_table(const EngineKind& kind) {
  std::vector<ModelCase> rows = model_table();
  if (!kind.emulated) return rows;
  const auto starts = [](const ModelCase& row, std::initializer_list<const char*> prefixes) {
    return std::ranges::any_of(prefixes, [&](const char* p) { return row.name.starts_with(p); });
  };
  if (kind.name == "cuda") {
    std::erase_if(rows, [&](const ModelCase& row) {
      return starts(row, {"zero_", "affine_", "deep_", "constant_", "output_s", "inputs_o"});
    });
  } else {  // the other precisions share everything with fp32 but arithmetic
    std::erase_if(rows, [&](const ModelCase& row) {
      return !starts(row, {"hidden_", "mlp_diagonal_", "mlp_general_feedback", "context_of_three",
                           "mlp_constant_rectangular_feedback"});
    });
  }
  return rows;
}

double gradient_tolerance(const EngineKind& kind, const Model& model) {
  const auto jumps = [](const auto& part) {
    if constexpr (requires { part.net; }) {
      return part.net.activation == Activation::relu;
    } else if constexpr (requires { part.hidden; }) {
      return part.activation == Activation::relu;
    } else {
      return false;
    }
  };
  const bool any = std::visit(jumps, model.drift) || std::visit(jumps, model.diffusion) ||
                   std::visit(jumps, model.control);
  return any && kind.precision == Precision::fast ? 1.5e-2 : kind.gradient_tolerance;
}

const ModelCase& model_case(const std::string& name) {
  for (const ModelCase& row : model_table()) {
    if (row.name == name) return row;
  }
  throw std::logic_error("no model " + name);
}

PathValues random_cotangents(const Model& model, std::uint64_t paths, std::uint64_t seed,
                             LossTerm term) {
  const Model full = validated(model);
  const std::size_t saves = full.save.size(), d = static_cast<std::size_t>(full.state);
  const auto take = [&](LossTerm part, std::size_t count) {
    const bool wanted = term == LossTerm::all || term == part;
    return random_values(wanted ? count : 0, seed + static_cast<std::uint64_t>(part));
  };
  PathValues out;
  out.states = take(LossTerm::states, paths * saves * d);
  out.energy = take(LossTerm::energy, paths);
  out.martingale = take(LossTerm::martingale, paths);
  out.interval_energy = take(LossTerm::interval_energy, paths * saves);
  out.interval_martingale = take(LossTerm::interval_martingale, paths * saves);
  return out;
}

}  // namespace ito::test
