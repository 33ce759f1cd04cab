#pragma once

#include <nanobind/nanobind.h>

#include <ito/ito.hpp>

namespace ito::python {

void add_brownian(nanobind::module_& module);
void add_models(nanobind::module_& module);
void add_plans(nanobind::module_& module);

/// "auto", "cpu", "cuda:1", … and a number of threads.
inline Execution execution(const std::string& device, int threads) {
  return {.device = Device::parse(device), .threads = threads};
}

}  // namespace ito::python
