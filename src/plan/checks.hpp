#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <ito/plan.hpp>

#include "model/shape.hpp"

// What a plan refuses of its options and of a call, before an engine sees it. All throw ito::Error;
// what is accepted allocates nothing.
namespace ito {

/// A span that is empty or has the wanted size, which is `shape`.
void check_size(const char* field, std::size_t got, std::size_t wanted, const char* shape);

/// Rows of context or of grids of a request: R.
template <class Real>
std::uint64_t observations(const ModelShape& shape, const BasicRequest<Real>& request);

/// Refuses a gradient method that the solver does not go with.
void check_method(const ModelShape& shape, GradientMethod method);

/// Refuses a precision that the plan's numbers or its device do not have.
template <class Real>
void check_precision(Precision precision, Device device);

/// Refuses what a gradient method does not leave out.
void check_options(GradientMethod method, AdjointOptions options);

/// Refuses paths and observations that no engine could lay out: of its arrays the largest are
/// states at every step, and of the control's first layer a row an observation, or a tile of 16
/// paths, and context step.
void check_layout(const ModelShape& shape, std::uint64_t paths, std::uint64_t observations);

/// All of a request but its parameters' values.
template <class Real>
void check_request(const ModelShape& shape, std::size_t parameters,
                   const BasicRequest<Real>& request);

/// The numbers of a request's grids, where it has any in memory of the host.
template <class Real>
void check_grids(const ModelShape& shape, const BasicRequest<Real>& request);

/// Refuses parameters with which a drift control would divide by a σ of zero.
template <class Real>
void check_diffusion(const ModelShape& shape, std::span<const Real> parameters);

/// Refuses spans of the wrong size.
template <class Real>
void check_outputs(const ModelShape& shape, const BasicRequest<Real>& request,
                   const BasicOutputs<Real>& outputs);
template <class Real>
void check_derivatives(const ModelShape& shape, const BasicRequest<Real>& request,
                       const BasicCotangents<Real>& cotangents,
                       const BasicGradientOutputs<Real>& gradient);

}  // namespace ito
