#pragma once

#include <nanobind/nanobind.h>

#include <ito/ito.hpp>

namespace ito::python {

namespace nb = nanobind;

void add_models(nb::module_& module);
void add_plans(nb::module_& module);
void add_inference(nb::module_& module);
void add_series(nb::module_& module);
void add_samplers(nb::module_& module);

}  // namespace ito::python
