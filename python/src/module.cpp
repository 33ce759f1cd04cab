#include <nanobind/nanobind.h>

#include <ito/ito.hpp>

#include "bindings.hpp"

NB_MODULE(_core, module) {
  using namespace ito::python;
  module.doc() = "The extension under itosde, which documents what there is of it.";
  nanobind::exception<ito::Error>(module, "Error", PyExc_ValueError);
  module.attr("version") = ito::version();
  nanobind::set_leak_warnings(false);  // caches of torch.compile hold plans until the process ends
  add_brownian(module);
  add_models(module);
  add_plans(module);
}
