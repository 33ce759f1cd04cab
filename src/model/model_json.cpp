#include "model/model_json.hpp"

#include <fmt/format.h>

#include <limits>

#include <ito/error.hpp>

namespace ito {
namespace {

// Bounds that depend on the number of steps are left to `validated`.
constexpr Range any_step{std::numeric_limits<int>::min(), std::numeric_limits<int>::max()};

std::vector<double> read_grid(const JsonReader& document) {
  const bool uniform = document.has("horizon") || document.has("steps");
  if (document.has("grid")) {
    if (uniform)
      throw Error("grid", "grid beside horizon or steps", "either grid, or horizon and steps");
    return document.at("grid").numbers();
  }
  if (!uniform) throw Error("grid", "nothing", "either grid, or horizon and steps");
  return uniform_grid(document.at("horizon").number(), document.at("steps").integer(steps_range));
}

Initial read_initial(const JsonReader& object) {
  const std::string kind = object.kind({"point", "learned", "gaussian"});
  if (kind == "gaussian") {
    object.accept({"kind", "value", "std"});
    GaussianInitial initial;
    object.read("value", initial.value);
    object.read("std", initial.std);
    return initial;
  }
  object.accept({"kind", "value"});
  std::vector<double> value;
  object.read("value", value);
  if (kind == "point") return PointInitial{value};
  return LearnedInitial{value};
}

Drift read_drift(const JsonReader& object) {
  if (object.kind({"zero", "mlp"}) == "zero") {
    object.accept({"kind"});
    return ZeroDrift{};
  }
  object.accept({"kind", "hidden", "activation", "output", "time"});
  return read_net(object, {});
}

template <class NetDiffusion>
Diffusion read_net_diffusion(const JsonReader& object) {
  object.accept({"kind", "hidden", "activation", "output", "scale", "floor", "time"});
  NetDiffusion diffusion;
  diffusion.net = read_net(object, diffusion.net);
  object.read("scale", diffusion.scale);
  object.read("floor", diffusion.floor);
  return diffusion;
}

Diffusion read_diffusion(const JsonReader& object) {
  const std::string kind = object.kind({"identity", "constant", "diagonal", "general"});
  if (kind == "identity") {
    object.accept({"kind", "scale"});
    IdentityDiffusion diffusion;
    object.read("scale", diffusion.scale);
    return diffusion;
  }
  if (kind == "constant") {
    object.accept({"kind", "value", "output", "scale", "floor"});
    ConstantDiffusion diffusion;
    object.read("value", diffusion.value);
    object.read("output", diffusion.output);
    object.read("scale", diffusion.scale);
    object.read("floor", diffusion.floor);
    return diffusion;
  }
  return kind == "diagonal" ? read_net_diffusion<DiagonalDiffusion>(object)
                            : read_net_diffusion<GeneralDiffusion>(object);
}

template <class NetControl>
Control read_net_control(const JsonReader& object) {
  object.accept({"kind", "hidden", "activation", "output", "time", "context", "context_steps"});
  NetControl control;
  control.net = read_net(object, control.net);
  object.read("context", control.context, context_range);
  object.read("context_steps", control.context_steps, any_step);
  return control;
}

Control read_control(const JsonReader& object) {
  const std::string kind = object.kind({"none", "constant", "open-loop", "feedback", "drift"});
  if (kind == "none") {
    object.accept({"kind"});
    return NoControl{};
  }
  if (kind == "constant") {
    object.accept({"kind", "value"});
    ConstantControl control;
    object.read("value", control.value);
    return control;
  }
  if (kind == "open-loop") return read_net_control<OpenLoopControl>(object);
  if (kind == "feedback") return read_net_control<FeedbackControl>(object);
  return read_net_control<DriftControl>(object);
}

using Object = nlohmann::ordered_json;

/// Writes `key` unless the value is the empty default.
void write_values(Object& object, const char* key, const std::vector<double>& values) {
  if (!values.empty()) object[key] = values;
}

struct Writer {
  Object operator()(const PointInitial& initial) const {
    Object object{{"kind", "point"}};
    write_values(object, "value", initial.value);
    return object;
  }
  Object operator()(const LearnedInitial& initial) const {
    Object object{{"kind", "learned"}};
    write_values(object, "value", initial.value);
    return object;
  }
  Object operator()(const GaussianInitial& initial) const {
    Object object{{"kind", "gaussian"}};
    write_values(object, "value", initial.value);
    write_values(object, "std", initial.std);
    return object;
  }

  Object operator()(const ZeroDrift&) const { return {{"kind", "zero"}}; }
  Object operator()(const Mlp& net) const {
    Object object{{"kind", "mlp"}};
    write_net(object, net);
    return object;
  }

  Object operator()(const IdentityDiffusion& diffusion) const {
    return {{"kind", "identity"}, {"scale", diffusion.scale}};
  }
  Object operator()(const ConstantDiffusion& diffusion) const {
    Object object{{"kind", "constant"}};
    write_values(object, "value", diffusion.value);
    object["output"] = name(diffusion.output);
    object["scale"] = diffusion.scale;
    object["floor"] = diffusion.floor;
    return object;
  }
  Object operator()(const DiagonalDiffusion& diffusion) const {
    return net_diffusion("diagonal", diffusion);
  }
  Object operator()(const GeneralDiffusion& diffusion) const {
    return net_diffusion("general", diffusion);
  }

  Object operator()(const NoControl&) const { return {{"kind", "none"}}; }
  Object operator()(const ConstantControl& control) const {
    Object object{{"kind", "constant"}};
    write_values(object, "value", control.value);
    return object;
  }
  Object operator()(const OpenLoopControl& control) const {
    return net_control("open-loop", control);
  }
  Object operator()(const FeedbackControl& control) const {
    return net_control("feedback", control);
  }
  Object operator()(const DriftControl& control) const { return net_control("drift", control); }

 private:
  template <class NetDiffusion>
  static Object net_diffusion(const char* kind, const NetDiffusion& diffusion) {
    Object object{{"kind", kind}};
    write_net(object, diffusion.net);
    object["scale"] = diffusion.scale;
    object["floor"] = diffusion.floor;
    return object;
  }
  template <class NetControl>
  static Object net_control(const char* kind, const NetControl& control) {
    Object object{{"kind", kind}};
    write_net(object, control.net);
    object["context"] = control.context;
    if (control.context > 0) object["context_steps"] = control.context_steps;
    return object;
  }
};

void write_grid(Object& document, const std::vector<double>& grid) {
  const int steps = static_cast<int>(grid.size()) - 1;
  if (grid.front() == 0 && grid == uniform_grid(grid.back(), steps)) {
    document["horizon"] = grid.back();
    document["steps"] = steps;
  } else {
    document["grid"] = grid;
  }
}

}  // namespace

void accept_keys(const JsonReader& document, std::vector<std::string_view> further) {
  further.insert(further.end(),
                 {"state", "noise", "horizon", "steps", "grid", "save", "inputs", "input_steps",
                  "initial", "drift", "diffusion", "control", "calculus", "solver", "observed",
                  "encoder", "decoder", "likelihood"});
  document.accept(further);
}

Mlp read_net(const JsonReader& object, Mlp defaults, bool time) {
  object.read("hidden", defaults.hidden, width_range);
  object.read("activation", defaults.activation);
  object.read("output", defaults.output);
  if (time) object.read("time", defaults.time);
  return defaults;
}

Model read_model(const JsonReader& document) {
  Model model;
  model.state = document.at("state").integer(state_range);
  document.read("noise", model.noise, noise_range);
  model.grid = read_grid(document);
  document.read("save", model.save, any_step);
  document.read("inputs", model.inputs, context_range);
  document.read("input_steps", model.input_steps, any_step);
  if (document.has("initial")) model.initial = read_initial(document.at("initial"));
  if (document.has("drift")) model.drift = read_drift(document.at("drift"));
  if (document.has("diffusion")) model.diffusion = read_diffusion(document.at("diffusion"));
  if (document.has("control")) model.control = read_control(document.at("control"));
  if (document.has("calculus")) model.calculus = parse_calculus(document.at("calculus").text());
  if (document.has("solver")) model.solver = parse_solver(document.at("solver").text());
  return validated(std::move(model));
}

void write_net(Object& object, const Mlp& net, bool time) {
  object["hidden"] = net.hidden;
  object["activation"] = name(net.activation);
  object["output"] = name(net.output);
  if (time) object["time"] = net.time;
}

std::string kind_name(const Diffusion& diffusion) {
  return std::visit(Writer{}, diffusion).at("kind").get<std::string>();
}

Object write_model(const Model& given) {
  const Model model = validated(given);
  Object document;
  document["state"] = model.state;
  document["noise"] = model.noise;
  write_grid(document, model.grid);
  document["save"] = model.save;
  if (model.inputs > 0) {
    document["inputs"] = model.inputs;
    document["input_steps"] = model.input_steps;
  }
  document["initial"] = std::visit(Writer{}, model.initial);
  document["drift"] = std::visit(Writer{}, model.drift);
  document["diffusion"] = std::visit(Writer{}, model.diffusion);
  document["control"] = std::visit(Writer{}, model.control);
  document["calculus"] = name(model.calculus);
  document["solver"] = name(model.solver);
  return document;
}

std::string format_document(const Object& document) {
  std::string text;
  for (const auto& [key, value] : document.items()) {
    text += fmt::format("{}  \"{}\": {}", text.empty() ? "{\n" : ",\n", key, value.dump());
  }
  return text + "\n}\n";
}

Model parse_model(std::string_view text) {
  const nlohmann::json document = parse_json(text, "model");
  const JsonReader reader(document, "");
  accept_keys(reader);  // parse_latent_model checks what stands around the diffusion
  return read_model(reader);
}

std::string to_json(const Model& model) { return format_document(write_model(model)); }

}  // namespace ito
