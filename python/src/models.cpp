// Descriptions of models and their parameters' layout.
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <variant>

#include "arrays.hpp"
#include "bindings.hpp"

namespace ito::python {
namespace {

Parameters layout(const Model& model) { return zero_parameters(model); }
Parameters layout(const LatentModel& latent) { return zero_parameters(latent); }
Parameters layout(const SeriesModel& series) { return zero_parameters(series.latent); }
Parameters fresh(const Model& model, std::uint64_t seed) { return initialize(model, seed); }
Parameters fresh(const LatentModel& latent, std::uint64_t seed) { return initialize(latent, seed); }
Parameters fresh(const SeriesModel& series, std::uint64_t seed) {
  return initialize(series.latent, seed);
}
const Model& paths(const Model& model) { return model; }
const Model& paths(const LatentModel& latent) { return latent.model; }
const Model& paths(const SeriesModel& series) { return series.latent.model; }

int observed(const LatentModel& latent) { return latent.observed; }
int observed(const SeriesModel& series) { return series.latent.observed; }

Model parse(const std::string& json, const Model*) { return parse_model(json); }
LatentModel parse(const std::string& json, const LatentModel*) { return parse_latent_model(json); }
SeriesModel parse(const std::string& json, const SeriesModel*) { return parse_series_model(json); }

template <class Kind>
void add_model(nb::module_& module, const char* name) {
  nb::class_<Kind> bound(module, name);
  bound
      .def("__init__",
           [](Kind* place, const std::string& json) {
             new (place) Kind(validated(parse(json, static_cast<const Kind*>(nullptr))));
           })
      .def("to_json", [](const Kind& model) { return to_json(model); })
      .def("tensors",
           [](const Kind& model) {
             const Parameters parameters = layout(model);
             nb::list all;
             for (const Tensor& tensor : parameters.tensors())
               all.append(nb::make_tuple(tensor.name, nb::tuple(nb::cast(tensor.shape)),
                                         tensor.offset, tensor.size));
             return all;
           })
      .def("initialize",
           [](const Kind& model, std::uint64_t seed) { return flat_array(fresh(model, seed)); })
      .def("load",
           [](const Kind& model, const std::string& file) {
             return flat_array(load_safetensors(layout(model), file));
           })
      .def("save_parameters",
           [](const Kind& model, nb::handle values, const std::string& file) {
             Parameters parameters = layout(model);
             const auto from =
                 HostArray(values, "parameters").numbers<const float>({{parameters.size()}});
             std::ranges::copy(from, parameters.values().begin());
             nb::gil_scoped_release release;
             save_safetensors(parameters, file);
           })
      .def_prop_ro("state", [](const Kind& model) { return paths(model).state; })
      .def_prop_ro("noise", [](const Kind& model) { return paths(model).noise; })
      .def_prop_ro("inputs", [](const Kind& model) { return paths(model).inputs; })
      .def_prop_ro("grid",
                   [](const Kind& model) {
                     const auto& grid = paths(model).grid;
                     return numpy_array(std::vector<double>(grid), {grid.size()});
                   })
      .def_prop_ro("save", [](const Kind& model) {
        const auto& save = paths(model).save;
        return numpy_array(std::vector<int>(save), {save.size()});
      });
  if constexpr (!std::is_same_v<Kind, Model>)
    bound.def_prop_ro("observed", [](const Kind& model) { return observed(model); });
}

}  // namespace

std::pair<std::size_t, std::size_t> context_row(const Model& model) {
  auto width = static_cast<std::size_t>(model.inputs);
  std::size_t rows = model.inputs > 0 ? model.input_steps.size() : 1;
  std::visit(
      [&](const auto& control) {
        if constexpr (requires { control.context_steps; }) {
          width += static_cast<std::size_t>(control.context);
          if (control.context > 0) rows = std::max(rows, control.context_steps.size());
        }
      },
      model.control);
  return {rows, width};
}

void add_models(nb::module_& module) {
  add_model<Model>(module, "Model");
  add_model<LatentModel>(module, "LatentModel");
  add_model<SeriesModel>(module, "SeriesModel");
}

}  // namespace ito::python
