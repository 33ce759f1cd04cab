#include "gate/loop_count.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>

#include <ito/error.hpp>

#include "gate/trip_count.hpp"

namespace ito::cuda {
namespace {

/// Counts the paths through one iteration of a loop.
class PathCounter {
 public:
  PathCounter(const ControlFlow& flow, std::span<const int> trips) : flow_(flow), trips_(trips) {}

  struct Paths {
    PipeCounts main{}, longest{};
  };
  Paths iteration(int loop);
  int trips(int loop);

  std::vector<InnerLoop> inner{};
  std::size_t trips_used = 0;

 private:
  const Loop& loop(int index) const { return flow_.loops()[static_cast<std::size_t>(index)]; }
  /// The loop directly within `around` that has the block, or −1.
  int child(int around, int block) const;

  const ControlFlow& flow_;
  std::span<const int> trips_;
};

/// An inner loop or a block of the outer one.
struct Node {
  PathCounter::Paths own{};
  int calls = 0;
  std::vector<int> successors{};
  int meeting = -1;  ///< where all ways from here meet first
};

constexpr double avoided = 1e9;  // instructions that a call counts for when ways are compared

int PathCounter::child(int around, int block) const {
  int found = -1;
  for (std::size_t i = 0; i < flow_.loops().size(); ++i) {
    const Loop& one = flow_.loops()[i];
    if (one.parent == around && one.has(block)) found = static_cast<int>(i);
  }
  return found;
}

int PathCounter::trips(int index) {
  if (const auto derived = TripCounter(flow_).trips(loop(index))) return *derived;
  const auto& code = flow_.function().code;
  const auto& header = flow_.blocks()[static_cast<std::size_t>(loop(index).header)];
  if (trips_used == trips_.size()) {
    throw Error("trip count",
                fmt::format("of the loop at {:#x} of {}, which its code does not tell",
                            code[header.begin].address, flow_.function().name),
                "a counter with immediate start, increment and bound, or the job's `trips`");
  }
  return trips_[trips_used++];
}

PathCounter::Paths PathCounter::iteration(int index) {
  const Loop& around = loop(index);
  const auto& code = flow_.function().code;
  // Nodes by their first block; the blocks of an inner loop stand for its header.
  std::map<int, Node> nodes;
  const auto node_of = [&](int block) {
    const int inside = child(index, block);
    return inside < 0 ? block : loop(inside).header;
  };
  for (const int block : around.blocks) {
    Node& node = nodes[node_of(block)];
    const int inside = child(index, block);
    const BasicBlock& one = flow_.blocks()[static_cast<std::size_t>(block)];
    if (inside < 0) {
      for (std::size_t i = one.begin; i < one.end; ++i) node.own.main.add(code[i]);
      node.own.longest = node.own.main;
      node.calls = one.calls;
    } else if (block == loop(inside).header) {
      const std::size_t place = inner.size();
      inner.emplace_back();
      const int times = trips(inside);
      const Paths once = iteration(inside);
      node.own.main.add(once.main, times);
      node.own.longest.add(once.longest, times);
      std::size_t last = 0;
      for (const int b : loop(inside).blocks)
        last = std::max(last, flow_.blocks()[static_cast<std::size_t>(b)].end);
      inner[place] = {code[one.begin].address, code[last - 1].address + 16, loop(inside).depth,
                      times, once.main};
    }
    for (const int to : one.successors) {
      if (!around.has(to) || to == around.header) continue;  // the loop's end and its next turn
      if (node_of(to) == node_of(block)) continue;
      auto& successors = node.successors;
      if (std::ranges::find(successors, node_of(to)) == successors.end())
        successors.push_back(node_of(to));
    }
  }

  // Back from the latches; a node that reaches none leaves the loop and is on no path.
  struct Ways {
    Paths to_end;
    double main_calls = 0, longest_calls = 0;
    int rank = 0;  // more: nearer to the end
  };
  constexpr int end = -1;
  std::map<int, Ways> done{{end, {}}};
  int rank = 0;
  std::vector<int> latches;
  for (const int latch : around.latches) latches.push_back(node_of(latch));
  const auto visit = [&](const auto& self, int at) -> bool {
    if (done.contains(at)) return true;
    Node& node = nodes.at(at);
    std::vector<int> ways;
    if (std::ranges::find(latches, at) != latches.end()) ways.push_back(end);
    for (const int to : node.successors)
      if (self(self, to)) ways.push_back(to);
    if (ways.empty()) return false;
    int meeting = ways[0];
    for (int other : ways) {
      while (meeting != other) {
        const auto later = [&](int a, int b) { return done.at(a).rank > done.at(b).rank; };
        if (later(meeting, other))
          meeting = nodes.at(meeting).meeting;
        else
          other = nodes.at(other).meeting;
      }
    }
    node.meeting = meeting;
    const bool jumps_over = ways.size() > 1 && std::ranges::find(ways, meeting) != ways.end();
    Ways best;
    best.rank = ++rank;
    const auto cost = [&](const PipeCounts& counts, double calls) {
      return counts.total() - avoided * calls;
    };
    const auto better = [&](int a, int b, bool main) {
      const Ways &x = done.at(a), &y = done.at(b);
      return main ? cost(x.to_end.main, x.main_calls) < cost(y.to_end.main, y.main_calls)
                  : cost(x.to_end.longest, x.longest_calls) <
                        cost(y.to_end.longest, y.longest_calls);
    };
    const int main_way = jumps_over ? meeting : *std::ranges::max_element(ways, [&](int a, int b) {
      return better(a, b, true);
    });
    const int longest_way =
        *std::ranges::max_element(ways, [&](int a, int b) { return better(a, b, false); });
    best.to_end.main = node.own.main;
    best.to_end.main.add(done.at(main_way).to_end.main);
    best.main_calls = done.at(main_way).main_calls + node.calls;
    best.to_end.longest = node.own.longest;
    best.to_end.longest.add(done.at(longest_way).to_end.longest);
    best.longest_calls = done.at(longest_way).longest_calls + node.calls;
    done.emplace(at, best);
    return true;
  };
  visit(visit, node_of(around.header));
  return done.at(around.header).to_end;
}

/// What a step does and what is around the time loop does not.
bool is_work_of_a_step(const SassInstruction& one) {
  return one.kind() == PipeKind::tensor ||
         (one.kind() == PipeKind::special && !one.opcode.starts_with("MUFU.RCP"));
}

/// Whether the loop has such work that is in no inner loop.
bool works(const ControlFlow& flow, std::size_t index) {
  const Loop& loop = flow.loops()[index];
  return std::ranges::any_of(loop.blocks, [&](int block) {
    const bool inner = std::ranges::any_of(flow.loops(), [&](const Loop& other) {
      return other.depth > loop.depth && loop.has(other.header) && other.has(block);
    });
    const BasicBlock& one = flow.blocks()[static_cast<std::size_t>(block)];
    const auto code = flow.function().code.begin();
    return !inner && std::any_of(code + static_cast<std::ptrdiff_t>(one.begin),
                                 code + static_cast<std::ptrdiff_t>(one.end), is_work_of_a_step);
  });
}

int code_length(const ControlFlow& flow, const Loop& loop) {
  std::size_t length = 0;
  for (const int block : loop.blocks) {
    const BasicBlock& one = flow.blocks()[static_cast<std::size_t>(block)];
    length += one.end - one.begin;
  }
  return static_cast<int>(length);
}

int find_time_loop(const ControlFlow& flow) {
  const auto& loops = flow.loops();
  const auto outermost = [&](const auto& taken) {
    int best = -1;
    for (std::size_t i = 0; i < loops.size(); ++i) {
      if (!taken(i)) continue;
      bool inside = false;
      for (int up = loops[i].parent; up >= 0; up = loops[static_cast<std::size_t>(up)].parent)
        inside = inside || taken(static_cast<std::size_t>(up));
      if (inside) continue;
      if (best < 0 ||
          code_length(flow, loops[i]) > code_length(flow, loops[static_cast<std::size_t>(best)]))
        best = static_cast<int>(i);
    }
    return best;
  };
  const int working = outermost([&](std::size_t i) { return works(flow, i); });
  return working >= 0 ? working : outermost([](std::size_t) { return true; });
}

/// Products that nothing reaches: the graph has missed a branch, and what is counted would be
/// wrong.
void refuse_unreached_products(const ControlFlow& flow) {
  for (const BasicBlock& block : flow.blocks()) {
    if (block.reached) continue;
    for (std::size_t i = block.begin; i < block.end; ++i) {
      const SassInstruction& one = flow.function().code[i];
      if (one.kind() != PipeKind::tensor) continue;
      throw Error("kernel",
                  fmt::format("{}, whose {} at {:#x} nothing reaches", flow.function().name,
                              one.opcode, one.address),
                  "one whose branches the gate can follow");
    }
  }
}

}  // namespace

double PipeCounts::total() const { return std::accumulate(of.begin(), of.end(), 0.0); }

void PipeCounts::add(const SassInstruction& instruction) {
  of[static_cast<std::size_t>(instruction.kind())] += 1;
  const double fmas = instruction.tensor_fmas();
  tensor_fmas += fmas;
  (instruction.of_warpgroup() ? warpgroup_fmas : warp_fmas) +=
      (instruction.has_tf32() ? 2 : 1) * fmas;
}

PipeCounts& PipeCounts::add(const PipeCounts& other, double times) {
  for (std::size_t i = 0; i < of.size(); ++i) of[i] += times * other.of[i];
  tensor_fmas += times * other.tensor_fmas;
  warp_fmas += times * other.warp_fmas;
  warpgroup_fmas += times * other.warpgroup_fmas;
  return *this;
}

TimeLoop count_time_loop(const SassFunction& function, std::span<const int> trips,
                         double least_fmas) {
  const ControlFlow flow(function);
  refuse_unreached_products(flow);
  const int index = find_time_loop(flow);
  if (index < 0)
    throw Error("kernel", function.name + ", which has no loop", "one with a time loop");
  PathCounter counter(flow, trips);
  const PathCounter::Paths paths = counter.iteration(index);
  if (counter.trips_used != trips.size()) {
    throw Error("trips", fmt::format("{} of {}", trips.size(), function.name),
                fmt::format("{}: other trip counts stand in the code", counter.trips_used));
  }
  if (paths.main.tensor_fmas < least_fmas) {
    const auto& header = flow.blocks()[static_cast<std::size_t>(
        flow.loops()[static_cast<std::size_t>(index)].header)];
    throw Error(
        "time loop",
        fmt::format("the one at {:#x} of {}, with {} multiply-adds on the tensor cores",
                    function.code[header.begin].address, function.name, paths.main.tensor_fmas),
        fmt::format("one with the {} that the nets take", least_fmas));
  }
  TimeLoop out;
  out.main = paths.main;
  out.skipped = PipeCounts(paths.longest).add(paths.main, -1);
  out.inner = counter.inner;
  const Loop& loop = flow.loops()[static_cast<std::size_t>(index)];
  std::size_t begin = function.own, end = 0;
  for (const int block : loop.blocks) {
    const BasicBlock& one = flow.blocks()[static_cast<std::size_t>(block)];
    begin = std::min(begin, one.begin);
    end = std::max(end, one.end);
    out.calls += one.calls;
  }
  out.begin = function.code[begin].address;
  out.end = function.code[end - 1].address + 16;
  out.call_length = static_cast<double>(function.code.size() - function.own);
  return out;
}

}  // namespace ito::cuda
