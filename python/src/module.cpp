#include <nanobind/nanobind.h>

#include <ito/ito.hpp>

#include "bindings.hpp"

NB_MODULE(_core, module) {
  using namespace ito::python;
  module.doc() = "The extension under itosde, which documents what there is of it.";
  // What a global keeps, as torch.compile's cache does with plans, is there to the end.
  nanobind::set_leak_warnings(false);
  nanobind::exception<ito::Error>(module, "Error", PyExc_ValueError);
  module.attr("version") = ito::version();
  add_brownian(module);
  add_devices(module);
  add_models(module);
  add_plans(module);
  add_inference(module);
  add_series(module);
  add_samplers(module);
}
