#include <omp.h>

#include <algorithm>
#include <cmath>
#include <variant>

#include <ito/check.hpp>

#include "engine/engine.hpp"
#include "inference/batch_math.hpp"
#include "inference/sequence_encoder.hpp"
#include "model/check.hpp"

namespace ito {
namespace {

/// Queries with so few keys in all are done sooner than other threads have begun.
constexpr std::size_t few_keys = 4096;

template <class Real>
Real dot(const Real* a, const Real* b, std::size_t size) {
  Real sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::size_t i = 0; i < size; ++i) sum += a[i] * b[i];
  return sum;
}

/// to += factor · from
template <class Real>
void add_multiple(Real factor, const Real* from, std::size_t size, Real* to) {
#pragma omp simd
  for (std::size_t i = 0; i < size; ++i) to[i] += factor * from[i];
}

/// From `features` [F, stride], whose first row is s ≥ 0, to φ(s) = (s, e^−s, e^−4s, e^−16s, …).
template <class Real>
void time_features(Real* features, std::size_t count, std::size_t size, std::size_t stride) {
  for_each_vector<Real>(size, [&](std::size_t begin, std::size_t some) {
    using Batch = xsimd::batch<Real>;
    Batch decay = Math<Batch>::exp(-load_some(features + begin, some));
    for (std::size_t f = 1; f < count; ++f) {
      store_some(decay, features + f * stride + begin, some);
      const Batch square = decay * decay;
      decay = square * square;
    }
  });
}

/// Scores to weights that are proportional to their exponentials and add up to 1.
template <class Real>
void softmax(std::span<Real> scores) {
  const Real most = *std::ranges::max_element(scores);
  for_each_vector<Real>(scores.size(), [&](std::size_t begin, std::size_t some) {
    using Batch = xsimd::batch<Real>;
    store_some(Math<Batch>::exp(load_some(&scores[begin], some) - Batch(most)), &scores[begin],
               some);
  });
  Real sum = 0;
  for (const Real weight : scores) sum += weight;
  for (Real& weight : scores) weight /= sum;
}

/// The sizes of heads: H/heads numbers of a key, value or query, and F that go with time.
struct HeadSizes {
  std::size_t heads, width, features;

  std::size_t hidden() const { return heads * width; }
  std::size_t query() const { return width + features; }
};

/// One row at a time, from its last observation: query `step` attends to the keys 0 … step. Keys
/// lie along a vector's lanes. Weights are made again for the gradient: kept, they would grow with
/// the square of the length.
template <class Real>
class AttentionRow {
 public:
  explicit AttentionRow(const HeadSizes& sizes)
      : sizes_(sizes),
        scale_(static_cast<Real>(1 / std::sqrt(static_cast<double>(sizes.query())))) {}

  /// Room for a row; `number(i, j)` is key or value i, of 2H, of its observation j.
  template <class Number>
  void begin(std::size_t length, const Number& number) {
    length_ = length;
    keys_values_.resize(2 * sizes_.hidden() * length);
    gaps_.resize(sizes_.features * length);
    weights_.resize(length);
    by_scores_.resize(length);
    cotangents_.assign(keys_values_.size(), Real{0});
    for (std::size_t i = 0; i < 2 * sizes_.hidden(); ++i)
      for (std::size_t j = 0; j < length; ++j) keys_values_[i * length + j] = number(i, j);
  }

  /// Turns to a query; gap(j) is the time from it to observation j ≤ step, in horizons.
  template <class Gap>
  void ask(std::size_t step, const Gap& gap) {
    count_ = step + 1;
    for (std::size_t j = 0; j < count_; ++j) gaps_[j] = static_cast<Real>(gap(j));
    time_features(gaps_.data(), sizes_.features, count_, length_);
  }

  /// state [query()] += the mean of the head's values.
  void answer(std::size_t head, const Real* query, Real* state) {
    attend(head, query);
    for (std::size_t i = 0; i < sizes_.query(); ++i)
      state[i] += dot(weights_.data(), part(head, i, sizes_.hidden()), count_);
  }

  /// From the cotangent of such a mean to those of keys and values, and of the query, which is
  /// added to.
  void transpose(std::size_t head, const Real* query, const Real* cotangent,
                 Real* query_cotangent) {
    attend(head, query);
    const auto by_scores = std::span(by_scores_).first(count_);
    std::ranges::fill(by_scores, Real{0});
    for (std::size_t i = 0; i < sizes_.query(); ++i)
      add_multiple(cotangent[i], part(head, i, sizes_.hidden()), count_, by_scores.data());
    const Real mean = dot(weights_.data(), by_scores.data(), count_);
    for (std::size_t j = 0; j < count_; ++j)
      by_scores[j] = scale_ * weights_[j] * (by_scores[j] - mean);
    for (std::size_t i = 0; i < sizes_.query(); ++i)
      query_cotangent[i] += dot(by_scores.data(), part(head, i, 0), count_);
    for (std::size_t i = 0; i < sizes_.width; ++i) {
      Real* by_key = &cotangents_[(head * sizes_.width + i) * length_];
      Real* by_value = by_key + sizes_.hidden() * length_;
      add_multiple(query[i], by_scores.data(), count_, by_key);
      add_multiple(cotangent[i], weights_.data(), count_, by_value);
    }
  }

  /// What `transpose` has come to for key or value i of observation j.
  Real cotangent(std::size_t i, std::size_t j) const { return cotangents_[i * length_ + j]; }

 private:
  /// Number i of all keys of a head, or with `first` = H of its values: the last of both are the
  /// gaps' features.
  const Real* part(std::size_t head, std::size_t i, std::size_t first) const {
    return i < sizes_.width ? &keys_values_[(first + head * sizes_.width + i) * length_]
                            : &gaps_[(i - sizes_.width) * length_];
  }

  void attend(std::size_t head, const Real* query) {
    const auto weights = std::span(weights_).first(count_);
    std::ranges::fill(weights, Real{0});
    for (std::size_t i = 0; i < sizes_.query(); ++i)
      add_multiple(scale_ * query[i], part(head, i, 0), count_, weights.data());
    softmax(weights);
  }

  HeadSizes sizes_;
  Real scale_;
  std::size_t length_ = 0, count_ = 0;          ///< of the row; of its keys up to the query
  std::vector<Real> keys_values_, cotangents_;  ///< [2H, length]
  std::vector<Real> gaps_;                      ///< [F, length]
  std::vector<Real> weights_, by_scores_;       ///< [length]
};

template <class Real>
class AttentionStates final : public SequenceStates<Real> {
 public:
  AttentionStates(const SequenceEncoderShape& shape, Execution execution)
      : shape_(shape),
        attention_(std::get<AttentionShape>(shape.states)),
        sizes_{size(attention_.heads),
               size(attention_.observation.outputs() / 2 / attention_.heads),
               size(attention_.query.inputs())},
        observation_net_(make_network<Real>(attention_.observation, execution)),
        query_net_(make_network<Real>(attention_.query, execution)),
        workers_(size(thread_count(execution.threads)), AttentionRow<Real>(sizes_)) {}

  void forward(std::span<const Real> parameters, const SequenceRows& rows, const PackedRows& packed,
               std::span<Real> states) override {
    read(rows, packed);
    observation_net_->forward(parameters, observations_, keys_values_);
    query_net_->forward(parameters, time_features_, queries_);
    std::ranges::copy(queries_, states.begin());
    for_each_row(packed, [&](AttentionRow<Real>& own, std::size_t rank) {
      for_each_query(own, packed, rank, [&](std::size_t head, std::size_t at) {
        own.answer(head, &queries_[at], &states[at]);
      });
    });
  }

  void backward(std::span<const Real> parameters, const PackedRows& packed,
                std::span<Real> cotangents, std::span<Real> gradient) override {
    // A state is the sum of the query and the answer.
    query_cotangents_.assign(cotangents.begin(), cotangents.end());
    for_each_row(packed, [&](AttentionRow<Real>& own, std::size_t rank) {
      for_each_query(own, packed, rank, [&](std::size_t head, std::size_t at) {
        own.transpose(head, &queries_[at], &cotangents[at], &query_cotangents_[at]);
      });
      for (std::size_t j = 0; j < packed.length(rank); ++j)
        for (std::size_t i = 0; i < key_value_numbers(); ++i)
          keys_values_[packed.entry(rank, j) * key_value_numbers() + i] = own.cotangent(i, j);
    });
    observation_net_->backward(parameters, observations_, keys_values_, gradient, {});
    query_net_->backward(parameters, time_features_, query_cotangents_, gradient, {});
  }

 private:
  std::size_t key_value_numbers() const { return 2 * sizes_.hidden(); }
  /// s of φ(s).
  double horizons(double time) const { return time / attention_.horizon; }

  void read(const SequenceRows& rows, const PackedRows& packed) {
    const std::size_t entries = packed.entries(), observation = size(shape_.observation());
    observations_.resize(entries * observation);
    times_.resize(entries);
    time_features_.resize(entries * sizes_.features);
    keys_values_.resize(entries * key_value_numbers());
    queries_.resize(entries * sizes_.heads * sizes_.query());
    packed.for_each([&](std::size_t entry, std::size_t row, std::size_t slot) {
      write_observation(shape_, rows, row, slot, &observations_[entry * observation]);
      times_[entry] = rows.times[row * rows.slots + slot];
      Real* features = &time_features_[entry * sizes_.features];
      features[0] = static_cast<Real>(horizons(times_[entry] - rows.times[row * rows.slots]));
      time_features(features, sizes_.features, 1, 1);
    });
  }

  /// use(worker, rank) for every row, on one thread each.
  template <class Use>
  void for_each_row(const PackedRows& packed, const Use& use) {
    const bool few = packed.entries() * packed.steps() <= few_keys;
#pragma omp parallel for schedule(dynamic, 1) \
    num_threads(static_cast <int>(workers_.size())) if (!few)
    for (std::size_t rank = 0; rank < packed.rows(); ++rank) {
      AttentionRow<Real>& own = workers_[static_cast<std::size_t>(omp_get_thread_num())];
      own.begin(packed.length(rank), [&](std::size_t i, std::size_t j) {
        return keys_values_[packed.entry(rank, j) * key_value_numbers() + i];
      });
      use(own, rank);
    }
  }

  /// use(head, place of its query) for every query of a row.
  template <class Use>
  void for_each_query(AttentionRow<Real>& own, const PackedRows& packed, std::size_t rank,
                      const Use& use) const {
    for (std::size_t step = 0; step < packed.length(rank); ++step) {
      const std::size_t entry = packed.entry(rank, step);
      own.ask(step, [&](std::size_t j) {
        return horizons(times_[packed.entry(rank, j)] - times_[entry]);
      });
      for (std::size_t head = 0; head < sizes_.heads; ++head)
        use(head, (entry * sizes_.heads + head) * sizes_.query());
    }
  }

  SequenceEncoderShape shape_;
  AttentionShape attention_;
  HeadSizes sizes_;
  std::unique_ptr<BasicNetwork<Real>> observation_net_, query_net_;
  std::vector<AttentionRow<Real>> workers_;       ///< by thread
  std::vector<double> times_;                     ///< [N]
  std::vector<Real> observations_;                ///< [N, 2D]
  std::vector<Real> time_features_;               ///< [N, F]: φ(t_i − t_0)
  std::vector<Real> keys_values_;                 ///< [N, 2H]
  std::vector<Real> queries_, query_cotangents_;  ///< [N, heads, H/heads + F]
};

}  // namespace

template <class Real>
std::unique_ptr<SequenceStates<Real>> make_attention_states(const SequenceEncoderShape& shape,
                                                            Execution execution) {
  return std::make_unique<AttentionStates<Real>>(shape, execution);
}

template std::unique_ptr<SequenceStates<float>> make_attention_states(const SequenceEncoderShape&,
                                                                      Execution);
template std::unique_ptr<SequenceStates<double>> make_attention_states(const SequenceEncoderShape&,
                                                                       Execution);

}  // namespace ito
