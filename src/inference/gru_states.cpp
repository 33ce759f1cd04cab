#include <algorithm>
#include <variant>

#include <ito/check.hpp>

#include "engine/engine.hpp"
#include "inference/batch_math.hpp"
#include "inference/sequence_encoder.hpp"
#include "kernels/arithmetic/gru.cuh"
#include "model/check.hpp"

namespace ito {
namespace {

/// So many are done sooner than other threads have begun.
constexpr std::size_t few_units = 8192;

/// Three gates of one row, [3H], a vector of units at a time.
template <class Real>
struct GateRow {
  Real* reset;
  Real* update;
  Real* candidate;

  GateRow(std::vector<Real>& rows, std::size_t row, std::size_t hidden)
      : reset(&rows[row * 3 * hidden]), update(reset + hidden), candidate(update + hidden) {}

  GruGates<xsimd::batch<Real>> load(std::size_t begin, std::size_t count) const {
    return {load_some(reset + begin, count), load_some(update + begin, count),
            load_some(candidate + begin, count)};
  }
  void store(const GruGates<xsimd::batch<Real>>& gates, std::size_t begin,
             std::size_t count) const {
    store_some(gates.reset, reset + begin, count);
    store_some(gates.update, update + begin, count);
    store_some(gates.candidate, candidate + begin, count);
  }
};

/// The net whose matrix is the transpose of an affine map's, and its parameters.
template <class Real>
class TransposedMap {
 public:
  TransposedMap(const NetShape& map, Execution execution) : layer_(map.layers.front()) {
    std::vector<Tensor> tensors;
    const NetShape shape =
        append_net(tensors, "transposed", Mlp{}, layer_.outputs, 0, 0, layer_.inputs);
    own_.resize(total_size(tensors));  // the bias stays 0
    net_ = make_network<Real>(shape, execution);
  }
  void read(std::span<const Real> parameters) {
    const std::size_t rows = size(layer_.outputs), columns = size(layer_.inputs);
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < columns; ++j)
        own_[j * rows + i] = parameters[layer_.weight + i * columns + j];
  }
  void apply(std::span<const Real> inputs, std::span<Real> outputs) {
    net_->forward(own_, inputs, outputs);
  }

 private:
  LayerShape layer_;
  std::vector<Real> own_;
  std::unique_ptr<BasicNetwork<Real>> net_;
};

/// The recurrence goes from the last observation to the first, step by step over all rows that are
/// long enough. What does not depend on the state is made for all observations at once.
template <class Real>
class GruStates final : public SequenceStates<Real> {
 public:
  GruStates(const SequenceEncoderShape& shape, Execution execution)
      : shape_(shape),
        gru_(std::get<GruShape>(shape.states)),
        hidden_(size(gru_.state.inputs())),
        inputs_(size(gru_.input.inputs())),
        threads_(thread_count(execution.threads)),
        input_net_(make_network<Real>(gru_.input, execution)),
        state_net_(make_network<Real>(gru_.state, execution)),
        transposed_(gru_.state, execution) {
    if (gru_.decay) decay_net_ = make_network<Real>(*gru_.decay, execution);
  }

  void forward(std::span<const Real> parameters, const SequenceRows& rows, const PackedRows& packed,
               std::span<Real> states) override {
    const std::size_t entries = packed.entries();
    for (auto* numbers : {&gates_, &from_state_}) numbers->resize(entries * 3 * hidden_);
    previous_.resize(entries * hidden_);
    read(rows, packed);
    input_net_->forward(parameters, input_rows_, gates_);
    if (decay_net_) {
      exponents_.resize(entries * hidden_);
      decay_net_->forward(parameters, gaps_, exponents_);
    }
    for (std::size_t step = 0; step < packed.steps(); ++step) {
      const std::size_t begin = packed.begin(step), count = packed.count(step);
      carry(after(std::span<const Real>(states), packed, step), begin, count);
      state_net_->forward(parameters, block(previous_, hidden_, begin, count),
                          block(from_state_, 3 * hidden_, begin, count));
      advance(states, begin, count);
    }
  }

  void backward(std::span<const Real> parameters, const PackedRows& packed,
                std::span<Real> cotangents, std::span<Real> gradient) override {
    previous_cotangents_.resize(packed.rows() * hidden_);
    transposed_.read(parameters);
    for (std::size_t step = packed.steps(); step-- > 0;) {
      const std::size_t begin = packed.begin(step), count = packed.count(step);
      const auto carried = std::span(previous_cotangents_).first(count * hidden_);
      transpose_gates(cotangents, begin, count);
      transposed_.apply(block(from_state_, 3 * hidden_, begin, count), carried);
      transpose_carry(cotangents, after(cotangents, packed, step), begin, count);
    }
    // The cotangents of the sums stand where the gates did.
    input_net_->backward(parameters, input_rows_, gates_, gradient, {});
    state_net_->backward(parameters, previous_, from_state_, gradient, {});
    if (decay_net_) decay_net_->backward(parameters, gaps_, exponents_, gradient, {});
  }

 private:
  static std::span<Real> block(std::vector<Real>& rows, std::size_t width, std::size_t begin,
                               std::size_t count) {
    return std::span(rows).subspan(begin * width, count * width);
  }

  void read(const SequenceRows& rows, const PackedRows& packed) {
    input_rows_.resize(packed.entries() * inputs_);
    gaps_.resize(packed.entries());
    const std::size_t observation = size(shape_.observation());
    packed.for_each([&](std::size_t entry, std::size_t row, std::size_t slot) {
      const double* times = &rows.times[row * rows.slots];
      const bool last = slot + 1 == static_cast<std::size_t>(rows.lengths[row]);
      Real* input = &input_rows_[entry * inputs_];
      write_observation(shape_, rows, row, slot, input);
      gaps_[entry] = last ? Real{0} : static_cast<Real>(times[slot + 1] - times[slot]);
      input[observation] = gaps_[entry];
      if (gru_.time) input[observation + 1] = static_cast<Real>(times[slot]);
    });
  }

  /// body(row, begin, count) for the vectors of units of `rows` rows.
  template <class Body>
  void for_each_unit(std::size_t rows, const Body& body) const {
#pragma omp parallel for schedule(static) num_threads(threads_) if (rows * hidden_ > few_units)
    for (std::size_t row = 0; row < rows; ++row)
      for_each_vector<Real>(hidden_,
                            [&](std::size_t begin, std::size_t count) { body(row, begin, count); });
  }

  /// Those of `rows` [N, H] that the cells of a step go on from, the states at the observations
  /// after theirs; nothing for the first step.
  template <class T>
  std::span<T> after(std::span<T> rows, const PackedRows& packed, std::size_t step) const {
    if (step == 0) return {};
    return rows.subspan(packed.begin(step - 1) * hidden_, packed.count(step) * hidden_);
  }

  /// What the cells of a step take for h: the states after them, decayed; 0 where there are none.
  void carry(std::span<const Real> states, std::size_t begin, std::size_t count) {
    if (states.empty()) {
      std::ranges::fill(block(previous_, hidden_, begin, count), Real{0});
      return;
    }
    for_each_unit(count, [&](std::size_t row, std::size_t unit, std::size_t some) {
      auto h = load_some(&states[row * hidden_ + unit], some);
      const std::size_t place = (begin + row) * hidden_ + unit;
      if (decay_net_) h = decayed(h, load_some(&exponents_[place], some));
      store_some(h, &previous_[place], some);
    });
  }

  /// One cell for every row; the gates replace what came from the input.
  void advance(std::span<Real> states, std::size_t begin, std::size_t count) {
    for_each_unit(count, [&](std::size_t row, std::size_t unit, std::size_t some) {
      const GateRow<Real> own(gates_, begin + row, hidden_);
      const GateRow<Real> from_state(from_state_, begin + row, hidden_);
      const std::size_t place = (begin + row) * hidden_ + unit;
      const auto gates = gru_gates(own.load(unit, some), from_state.load(unit, some));
      own.store(gates, unit, some);
      store_some(gru_state(gates, load_some(&previous_[place], some)), &states[place], some);
    });
  }

  /// From the cotangents of states to those of the gates' sums, which replace gates and sums.
  void transpose_gates(std::span<Real> cotangents, std::size_t begin, std::size_t count) {
    for_each_unit(count, [&](std::size_t row, std::size_t unit, std::size_t some) {
      const GateRow<Real> own(gates_, begin + row, hidden_);
      const GateRow<Real> from_state(from_state_, begin + row, hidden_);
      const std::size_t place = (begin + row) * hidden_ + unit;
      const auto by =
          gru_cotangents(own.load(unit, some), from_state.load(unit, some).candidate,
                         load_some(&previous_[place], some), load_some(&cotangents[place], some));
      own.store(by.from_input, unit, some);
      from_state.store({by.from_input.reset, by.from_input.update, by.state_candidate}, unit, some);
      store_some(by.previous, &cotangents[place], some);
    });
  }

  /// Adds what the cells of a step hand on to the cotangents of the states after them.
  void transpose_carry(std::span<const Real> cotangents, std::span<Real> states, std::size_t begin,
                       std::size_t count) {
    for_each_unit(count, [&](std::size_t row, std::size_t unit, std::size_t some) {
      const std::size_t place = (begin + row) * hidden_ + unit;
      auto by_previous = load_some(&cotangents[place], some) +
                         load_some(&previous_cotangents_[row * hidden_ + unit], some);
      if (decay_net_) {
        const auto by = decay_cotangents(load_some(&previous_[place], some),
                                         load_some(&exponents_[place], some), by_previous);
        store_some(by.exponent, &exponents_[place], some);
        by_previous = by.state;
      }
      if (states.empty()) return;
      Real* target = &states[row * hidden_ + unit];
      store_some(load_some(target, some) + by_previous, target, some);
    });
  }

  SequenceEncoderShape shape_;
  GruShape gru_;
  std::size_t hidden_, inputs_;
  int threads_;
  std::unique_ptr<BasicNetwork<Real>> input_net_, state_net_, decay_net_;
  TransposedMap<Real> transposed_;
  std::vector<Real> input_rows_, gaps_;    ///< [N, inputs], [N]
  std::vector<Real> gates_, from_state_;   ///< [N, 3H]
  std::vector<Real> previous_;             ///< [N, H], the h that each cell took
  std::vector<Real> exponents_;            ///< [N, H], of the decay
  std::vector<Real> previous_cotangents_;  ///< [R, H], of the step at hand
};

}  // namespace

template <class Real>
std::unique_ptr<SequenceStates<Real>> make_gru_states(const SequenceEncoderShape& shape,
                                                      Execution execution) {
  return std::make_unique<GruStates<Real>>(shape, execution);
}

template std::unique_ptr<SequenceStates<float>> make_gru_states(const SequenceEncoderShape&,
                                                                Execution);
template std::unique_ptr<SequenceStates<double>> make_gru_states(const SequenceEncoderShape&,
                                                                 Execution);

}  // namespace ito
