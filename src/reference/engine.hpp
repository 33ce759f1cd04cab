#pragma once

#include <memory>

#include "engine/engine.hpp"

namespace ito::reference {

/// Every solver in double precision, path by path, in plain loops: it defines the answers, and
/// serves the tests and small problems. With Real = float only its inputs and outputs are float.
template <class Real>
std::unique_ptr<Engine<Real>> make_engine(const ModelShape& shape, const PlanOptions& options,
                                          int threads);
template <class Real>
std::unique_ptr<BasicNetwork<Real>> make_network(const NetShape& shape);

}  // namespace ito::reference
