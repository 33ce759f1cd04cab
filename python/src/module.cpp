#include <nanobind/nanobind.h>

#include <ito/ito.hpp>

#include "bindings.hpp"

NB_MODULE(_core, module) {
  using namespace ito::python;
  module.doc() = "The extension under itosde, which documents what there is of it.";
  // A density written in Python and kept by a global of its module is there to the end, and so is
  // a plan in a cache of torch.compile.
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
