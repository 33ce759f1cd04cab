#include "cuda/per_path/tables.hpp"

#include <functional>

#include "cuda/buffer.hpp"
#include "cuda/kernel_source.hpp"
#include "engine/scheme_step.hpp"
#include "kernels/per_path/layout.cuh"

namespace ito::cuda {
namespace {

template <class Real>
BasicTerm<Real> term_of(const Term& term) {
  const auto number = [](double value) { return static_cast<Real>(value); };
  return {term.from,
          number(term.drift),
          number(term.control),
          number(term.increment),
          number(term.area),
          number(term.unit),
          number(term.square),
          number(term.iterated),
          term.column,
          term.row};
}

std::vector<ValuePlaces<int>> rows_of(const std::vector<SchemePlaces::Values>& places) {
  std::vector<ValuePlaces<int>> rows;
  for (const SchemePlaces::Values& at : places) {
    rows.push_back({static_cast<int>(at.point), static_cast<int>(at.b), static_cast<int>(at.sigma),
                    static_cast<int>(at.u)});
  }
  return rows;
}

/// Puts a scheme into `image`; what comes back completes its table, given where the image lies.
template <class Real>
std::function<void(const std::byte*, SchemeTable<Real>&)> place(Image& image, const Scheme& scheme,
                                                                const SchemePlaces& places) {
  std::vector<BasicTerm<Real>> terms;
  std::vector<StageRow<Real>> stages;
  for (const Stage& stage : scheme.stages) {
    stages.push_back({static_cast<Real>(stage.time), static_cast<Real>(stage.state),
                      static_cast<Real>(stage.auxiliary), stage.base,
                      static_cast<int>(terms.size()), static_cast<int>(stage.terms.size()),
                      stage.needs_drift, stage.needs_diffusion, stage.needs_control});
    for (const Term& term : stage.terms) terms.push_back(term_of<Real>(term));
  }
  const std::size_t of_stages = terms.size();
  for (const Term& term : scheme.output) terms.push_back(term_of<Real>(term));
  const std::size_t at_stages = image.add(stages), at_terms = image.add(terms),
                    at_values = image.add(rows_of(places.values)),
                    at_cotangents = image.add(rows_of(places.cotangents));
  const auto count = static_cast<int>(stages.size()),
             outputs = static_cast<int>(scheme.output.size());
  SchemeTable<Real> table{};
  table.auxiliary_stage = scheme.auxiliary_stage;
  table.held_control = scheme.held_control;
  table.needs_area = scheme.needs_area;
  table.chain = static_cast<int>(places.chain);
  table.cotangent = static_cast<int>(places.cotangent);
  table.gathered = static_cast<int>(places.gathered);
  table.increment = static_cast<int>(places.increment);
  table.z = static_cast<int>(places.z);
  table.area = static_cast<int>(places.area);
  return [=](const std::byte* base, SchemeTable<Real>& out) {
    const auto rows = [&](std::size_t at) {
      return DeviceRange<ValuePlaces<int>>{reinterpret_cast<const ValuePlaces<int>*>(base + at),
                                           count};
    };
    out = table;
    out.stages = {reinterpret_cast<const StageRow<Real>*>(base + at_stages), count};
    out.terms = reinterpret_cast<const BasicTerm<Real>*>(base + at_terms);
    out.output = {out.terms + of_stages, outputs};
    out.values = rows(at_values);
    out.cotangents = rows(at_cotangents);
  };
}

/// Likewise what a thread keeps along its directions.
template <class Rows>
std::function<void(const std::byte*, DirectionTable&)> place_directions(Image& image,
                                                                        const ModelShape& shape,
                                                                        const Scheme& scheme,
                                                                        Rows& rows) {
  const DiffusionEntries entries(shape);
  DirectionTable table{};
  table.widest = widest_hidden(spec_of(shape));
  table.hidden = static_cast<int>(rows(2 * table.widest));
  std::vector<SchemePlaces::Values> stages;
  const std::size_t first = rows(0);
  for (int q = 0; q < scheme_directions; ++q) {
    const std::size_t chain = rows(scheme.carried(shape.state));
    const std::size_t sums = rows(DirectionTable::sum_rows);
    for (const Stage& stage : scheme.stages)
      stages.push_back(SchemePlaces::reserve(stage, entries, rows));
    if (q > 0) continue;
    table.chain = static_cast<int>(chain);
    table.sums = static_cast<int>(sums);
    table.rows = static_cast<int>(rows(0) - first);
  }
  table.stage_count = static_cast<int>(scheme.stages.size());
  const std::size_t at_stages = image.add(rows_of(stages));
  return [=](const std::byte* base, DirectionTable& out) {
    out = table;
    out.stages = reinterpret_cast<const ValuePlaces<int>*>(base + at_stages);
  };
}

}  // namespace

template <class Real>
SchemeTables<Real>::SchemeTables(const ModelShape& shape, GradientMethod method, int net_rows,
                                 const std::shared_ptr<Gpu>& gpu)
    : memory_(gpu) {
  auto next = static_cast<std::size_t>(net_rows);
  const auto rows = [&next](int count) {
    const std::size_t first = next;
    next += static_cast<std::size_t>(count);
    return first;
  };
  const DiffusionEntries entries(shape);
  const Scheme scheme = make_scheme(shape);
  const bool stochastic = method == GradientMethod::stochastic_adjoint;
  carried_ = scheme.carried(shape.state);
  stored_ = scheme.stored(shape.state);
  Image image;
  const bool reverse = !stochastic && method != GradientMethod::pathwise;
  const auto complete = place<Real>(image, scheme, SchemePlaces(scheme, entries, reverse, rows));
  std::function<void(const std::byte*, SchemeTable<Real>&)> complete_field;
  if (stochastic) {
    const Scheme field = make_field(shape);
    complete_field = place<Real>(image, field, SchemePlaces(field, entries, true, rows));
    arguments_.kept = static_cast<int>(rows(2 * shape.state));
    arguments_.kept_cotangent = static_cast<int>(rows(2 * shape.state));
  }
  std::function<void(const std::byte*, DirectionTable&)> complete_along;
  if (method == GradientMethod::pathwise)
    complete_along = place_directions(image, shape, scheme, rows);
  const std::byte* base = image.upload(*gpu, memory_);
  complete(base, arguments_.scheme);
  if (stochastic) complete_field(base, arguments_.field);
  if (complete_along) complete_along(base, arguments_.along);
  arguments_.rows = static_cast<int>(next);
}

template class SchemeTables<float>;
template class SchemeTables<double>;

}  // namespace ito::cuda
