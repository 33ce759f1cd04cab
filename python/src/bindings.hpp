#pragma once

#include <nanobind/nanobind.h>

#include <cstddef>
#include <string>
#include <utility>

#include <ito/ito.hpp>

namespace ito::python {

namespace nb = nanobind;

/// Where a call is to run. Before the first one that may be on a CUDA device, itosde's Python looks
/// for the libraries that its kernels take. Throws ito::Error.
Device parse_device(const std::string& text);

void add_brownian(nb::module_& module);
/// I and C, of the rows of a request's context [R, I, C].
std::pair<std::size_t, std::size_t> context_row(const Model& model);

void add_devices(nb::module_& module);
void add_models(nb::module_& module);
void add_plans(nb::module_& module);
void add_inference(nb::module_& module);
void add_series(nb::module_& module);
void add_samplers(nb::module_& module);

}  // namespace ito::python
