// Attention over series (AttentionEncoder of ito/latent_model.hpp): a warp takes a query, or on the
// way back a key, of one head of a row. Weights are made again for the gradient from their largest
// score and their sum: kept, they would grow with the square of the length (Dao et al. 2022).
#pragma once

#include "kernels/device/reductions.cuh"
#include "kernels/training/series.cuh"

namespace ito::cuda {

/// Queries, keys and values of one head of a row, by slot. The last numbers of a key or value are
/// features of the gap from the query, the others its own.
class AttentionHead {
 public:
  unsigned slot, read;  ///< of this warp; of the row

  ITO_DEVICE explicit AttentionHead(const AttentionArguments& of) : of_(of) {
    const auto warp = static_cast<unsigned>(global_index() / 32);
    slot = warp % of.slots;
    head_ = warp / of.slots % of.heads;
    row_ = warp / of.slots / of.heads;
    if (row_ >= of.picked.rows) return;
    read = of.lengths[row_].read;
    times_ = of.times + picked_row(of.picked, row_) * of.slots;
  }
  ITO_DEVICE bool exists() const { return row_ < of_.picked.rows; }
  ITO_DEVICE unsigned numbers() const { return of_.width + of_.features; }  ///< of a query

  /// Places of a slot's query and key in their arrays; a value is `hidden` behind its key.
  ITO_DEVICE unsigned long long query(unsigned at) const {
    return (entry(at) * of_.heads + head_) * numbers();
  }
  ITO_DEVICE unsigned long long key(unsigned at) const {
    return entry(at) * 2 * hidden() + head_ * of_.width;
  }
  ITO_DEVICE unsigned hidden() const { return of_.heads * of_.width; }
  ITO_DEVICE AttentionSums& sums(unsigned at) const {
    return of_.sums[entry(at) * of_.heads + head_];
  }

  /// Number k of a key or value whose own numbers are given.
  ITO_DEVICE float part(const float* own, float gap, unsigned k) const {
    return k < of_.width ? own[k] : time_feature(gap, k - of_.width);
  }
  ITO_DEVICE float gap(unsigned from, unsigned to) const {
    return static_cast<float>((times_[to] - times_[from]) / of_.horizon);
  }
  /// Of numbers that stand as a query does, and a key's or value's.
  ITO_DEVICE float dot(const float* query, const float* own, float gap) const {
    float sum = 0;
    for (unsigned k = 0; k < numbers(); ++k) sum = fma(query[k], part(own, gap, k), sum);
    return sum;
  }
  ITO_DEVICE float score(unsigned query_at, unsigned key_at) const {
    return of_.scale *
           dot(of_.queries + query(query_at), of_.keys_values + key(key_at), gap(query_at, key_at));
  }

 private:
  ITO_DEVICE unsigned long long entry(unsigned at) const {
    return static_cast<unsigned long long>(row_) * of_.slots + at;
  }

  const AttentionArguments& of_;
  unsigned row_, head_;
  const double* times_;
};

/// use(k, sum of weight · number(i, k) over the lanes i < count) for k < width: each lane has a
/// weight, and takes some of the k.
template <class Number, class Use>
ITO_DEVICE void weigh(float weight, unsigned count, unsigned width, const Number& number,
                      const Use& use) {
  for (unsigned first = 0; first < width; first += 32) {
    const unsigned k = first + lane_index();
    float sum = 0;
    for (unsigned i = 0; i < count; ++i) {
      const float of_lane = shuffle(weight, i);
      if (k < width) sum = fma(of_lane, number(i, k), sum);
    }
    if (k < width) use(k, sum);
  }
}

ITO_DEVICE void clear_numbers(float* numbers, unsigned count) {
  for (unsigned k = lane_index(); k < count; k += 32) numbers[k] = 0;
}

/// 32 of so many, or what is left after `first`.
ITO_DEVICE unsigned lanes_of(unsigned first, unsigned end) {
  return end - first < 32 ? end - first : 32;
}

/// States from queries and what they attend to: themselves and what comes after them.
ITO_DEVICE void attend(const AttentionArguments& arguments) {
  const AttentionHead head(arguments);
  if (!head.exists()) return;
  const float* query = arguments.queries + head.query(head.slot);
  float* state = arguments.states + head.query(head.slot);
  if (head.slot >= head.read) return clear_numbers(state, head.numbers());
  const WarpReduction warp;
  double largest = 0, sum = 0;
  for (unsigned first = head.slot; first < head.read; first += 32) {
    const unsigned count = lanes_of(first, head.read);
    const bool there = lane_index() < count;
    const double score =
        there ? static_cast<double>(head.score(head.slot, first + lane_index())) : -1e300;
    const bool begins = first == head.slot;
    const double before = largest;
    largest = warp.max(begins ? score : Math<double>::max(before, score));
    // What has been summed so far was in units of the largest before.
    const double kept = begins ? 0 : static_cast<double>(exp(static_cast<float>(before - largest)));
    const float weight = there ? exp(static_cast<float>(score - largest)) : 0.0f;
    sum = sum * kept + warp.sum(static_cast<double>(weight));
    weigh(
        weight, count, head.numbers(),
        [&](unsigned i, unsigned k) {
          const unsigned at = first + i;
          return head.part(arguments.keys_values + head.key(at) + head.hidden(),
                           head.gap(head.slot, at), k);
        },
        [&](unsigned k, float more) {
          state[k] = begins ? more : fma(state[k], static_cast<float>(kept), more);
        });
  }
  for (unsigned k = lane_index(); k < head.numbers(); k += 32)
    state[k] = query[k] + state[k] / static_cast<float>(sum);
  if (lane_index() == 0) head.sums(head.slot) = {largest, sum, 0};
}

/// Of a query and a key.
struct AttentionPair {
  float weight, by_score;  ///< the weight, and the cotangent of what is scaled to the score
};
ITO_DEVICE AttentionPair attention_pair(const AttentionBackArguments& arguments,
                                        const AttentionHead& head, unsigned query, unsigned key,
                                        const AttentionSums& sums) {
  const AttentionArguments& of = arguments.of;
  const float score = head.score(query, key) - static_cast<float>(sums.largest);
  const float weight = exp(score) / static_cast<float>(sums.sum);
  const float by_weight =
      head.dot(arguments.cotangents + head.query(query),
               of.keys_values + head.key(key) + head.hidden(), head.gap(query, key));
  return {weight, of.scale * weight * (by_weight - static_cast<float>(sums.mean))};
}

/// From the cotangents of states to those of queries, and the means that keys need.
ITO_DEVICE void attend_back_to_queries(const AttentionBackArguments& arguments) {
  const AttentionArguments& of = arguments.of;
  const AttentionHead head(of);
  if (!head.exists()) return;
  const unsigned long long place = head.query(head.slot);
  float* by_query = arguments.by_queries + place;
  if (head.slot >= head.read) return clear_numbers(by_query, head.numbers());
  // The mean of the cotangents of weights is the cotangent's product with the answer.
  double mean = 0;
  for (unsigned k = lane_index(); k < head.numbers(); k += 32)
    mean += static_cast<double>(arguments.cotangents[place + k]) *
            static_cast<double>(of.states[place + k] - of.queries[place + k]);
  AttentionSums sums = head.sums(head.slot);
  sums.mean = WarpReduction().sum(mean);
  for (unsigned first = head.slot; first < head.read; first += 32) {
    const unsigned count = lanes_of(first, head.read);
    float by_score = 0;
    if (lane_index() < count) {
      by_score = attention_pair(arguments, head, head.slot, first + lane_index(), sums).by_score;
    }
    weigh(
        by_score, count, head.numbers(),
        [&](unsigned i, unsigned k) {
          const unsigned at = first + i;
          return head.part(of.keys_values + head.key(at), head.gap(head.slot, at), k);
        },
        [&](unsigned k, float more) {
          by_query[k] = (first == head.slot ? arguments.cotangents[place + k] : by_query[k]) + more;
        });
  }
  if (lane_index() == 0) head.sums(head.slot) = sums;
}

/// After those of queries: to the cotangents of keys and values.
ITO_DEVICE void attend_back_to_keys(const AttentionBackArguments& arguments) {
  const AttentionArguments& of = arguments.of;
  const AttentionHead head(of);
  if (!head.exists()) return;
  float* by_key = arguments.by_keys_values + head.key(head.slot);
  float* by_value = by_key + head.hidden();
  clear_numbers(by_key, of.width);
  clear_numbers(by_value, of.width);
  if (head.slot >= head.read) return;
  for (unsigned first = 0; first <= head.slot; first += 32) {
    const unsigned count = lanes_of(first, head.slot + 1), at = first + lane_index();
    AttentionPair pair{0, 0};
    if (lane_index() < count) pair = attention_pair(arguments, head, at, head.slot, head.sums(at));
    const auto add = [&](float weight, const float* rows, float* to) {
      weigh(
          weight, count, of.width,
          [&](unsigned i, unsigned k) { return rows[head.query(first + i) + k]; },
          [&](unsigned k, float more) { to[k] += more; });
    };
    add(pair.by_score, of.queries, by_key);
    add(pair.weight, arguments.cotangents, by_value);
  }
}

}  // namespace ito::cuda
