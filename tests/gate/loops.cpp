#include "gate/loops.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include <ito/error.hpp>

namespace ito::cuda {
namespace {

/// Whether what follows may run too. A branch has a condition in its guard or, as in
/// `BRA !P0, …`, among its operands.
bool falls_through(const SassInstruction& one) {
  if (one.opcode == "BRA.CONV") return false;  // taken where the lanes of a warp run together
  if (one.opcode == "BRA.DIV") return true;
  if (!one.guard.empty() && one.guard != "PT") return true;
  return one.mnemonic() == "BRA" && one.operands.size() > 1;
}

}  // namespace

bool Loop::has(int block) const { return std::binary_search(blocks.begin(), blocks.end(), block); }

ControlFlow::ControlFlow(const SassFunction& function) : function_(function) {
  if (function.own == 0)
    throw Error("kernel", function.name + ", which has no code", "one with code");
  make_blocks();
  find_dominators();
  find_loops();
}

bool ControlFlow::branches(const SassInstruction& instruction) const {
  if (instruction.mnemonic() == "BRA") return true;
  // sm_80 leaves loops by calls to labels of the kernel itself.
  const auto found = function_.labels.find(instruction.target);
  return instruction.mnemonic() == "CALL" && found != function_.labels.end() &&
         found->second < function_.own;
}

std::size_t ControlFlow::label(const SassInstruction& instruction) const {
  const auto found = function_.labels.find(instruction.target);
  if (found == function_.labels.end() || found->second >= function_.own) {
    throw Error(
        "branch",
        fmt::format("{:#x} of {} to {}", instruction.address, function_.name, instruction.target),
        "a label of the kernel");
  }
  return found->second;
}

void ControlFlow::make_blocks() {
  const auto& code = function_.code;
  const auto ends_block = [&](const SassInstruction& one) {
    return branches(one) || one.mnemonic() == "EXIT" || one.mnemonic() == "RET" ||
           one.mnemonic() == "BSYNC";
  };
  std::set<std::size_t> leaders{0};
  std::map<std::string, std::vector<std::size_t>> reconvergence;  // of each barrier register
  std::map<std::size_t, std::size_t> meeting;                     // BSYNC → where it goes on
  for (std::size_t i = 0; i < function_.own; ++i) {
    const SassInstruction& one = code[i];
    const std::string_view name = one.mnemonic();
    if (name == "BRX" || name == "JMX" || name == "JMP") {
      throw Error("branch", fmt::format("{:#x} of {}: {}", one.address, function_.name, one.opcode),
                  "a branch to a label");
    }
    if (branches(one)) leaders.insert(label(one));
    if (name == "BSSY") reconvergence[one.operands.at(0)].push_back(label(one));
    if (name == "BSYNC") {
      // The label of the last BSSY of this register, which is the next instruction but where two
      // ways meet behind it.
      const auto& targets = reconvergence[one.operands.at(0)];
      const bool next = targets.empty() || std::ranges::find(targets, i + 1) != targets.end();
      meeting[i] = next ? i + 1 : targets.back();
      leaders.insert(meeting[i]);
    }
    if (ends_block(one)) leaders.insert(i + 1);
  }
  leaders.erase(leaders.upper_bound(function_.own - 1), leaders.end());
  block_at_.resize(function_.own);
  for (auto leader = leaders.begin(); leader != leaders.end(); ++leader) {
    BasicBlock block;
    block.begin = *leader;
    block.end = std::next(leader) == leaders.end() ? function_.own : *std::next(leader);
    for (std::size_t i = block.begin; i < block.end; ++i) {
      block_at_[i] = static_cast<int>(blocks_.size());
      if (code[i].mnemonic() == "CALL" && !branches(code[i])) ++block.calls;
    }
    blocks_.push_back(block);
  }
  for (std::size_t b = 0; b < blocks_.size(); ++b) {
    const SassInstruction& last = code[blocks_[b].end - 1];
    const auto go = [&](std::size_t instruction) {
      if (instruction >= function_.own) return;
      const int to = block_at_[instruction];
      if (std::ranges::find(blocks_[b].successors, to) != blocks_[b].successors.end()) return;
      blocks_[b].successors.push_back(to);
      blocks_[static_cast<std::size_t>(to)].predecessors.push_back(static_cast<int>(b));
    };
    // Lanes that run together do not take BRA.DIV.
    if (branches(last) && last.opcode != "BRA.DIV" && last.guard != "!PT") go(label(last));
    if (last.mnemonic() == "BSYNC") go(meeting[blocks_[b].end - 1]);
    if (!ends_block(last) || falls_through(last)) go(blocks_[b].end);
  }
}

// Cooper, Harvey and Kennedy, A Simple, Fast Dominance Algorithm (2001).
void ControlFlow::find_dominators() {
  rank_.assign(blocks_.size(), -1);
  std::vector<char> seen(blocks_.size(), 0);
  std::vector<std::pair<int, std::size_t>> stack{{0, 0}};
  seen[0] = 1;
  while (!stack.empty()) {
    auto& [block, next] = stack.back();
    const auto& successors = blocks_[static_cast<std::size_t>(block)].successors;
    if (next == successors.size()) {
      order_.push_back(block);
      stack.pop_back();
      continue;
    }
    const int to = successors[next++];
    if (seen[static_cast<std::size_t>(to)] == 0) {
      seen[static_cast<std::size_t>(to)] = 1;
      stack.push_back({to, 0});
    }
  }
  std::ranges::reverse(order_);
  for (std::size_t i = 0; i < order_.size(); ++i) {
    rank_[static_cast<std::size_t>(order_[i])] = static_cast<int>(i);
    blocks_[static_cast<std::size_t>(order_[i])].reached = true;
  }
  const auto idom = [&](int block) -> int& {
    return blocks_[static_cast<std::size_t>(block)].dominator;
  };
  const auto rank = [&](int block) { return rank_[static_cast<std::size_t>(block)]; };
  idom(0) = 0;
  for (bool changed = true; changed;) {
    changed = false;
    for (const int block : order_) {
      if (block == 0) continue;
      int meet = -1;
      for (int other : blocks_[static_cast<std::size_t>(block)].predecessors) {
        if (rank(other) < 0 || idom(other) < 0) continue;
        if (meet < 0) meet = other;
        while (meet != other) {
          while (rank(meet) > rank(other)) meet = idom(meet);
          while (rank(other) > rank(meet)) other = idom(other);
        }
      }
      if (idom(block) != meet) {
        idom(block) = meet;
        changed = true;
      }
    }
  }
  idom(0) = -1;
}

bool ControlFlow::dominates(int over, int block) const {
  for (; block >= 0; block = blocks_[static_cast<std::size_t>(block)].dominator)
    if (block == over) return true;
  return false;
}

void ControlFlow::find_loops() {
  std::map<int, std::set<int>> bodies;
  std::map<int, std::vector<int>> latches;
  for (const int block : order_) {
    for (const int to : blocks_[static_cast<std::size_t>(block)].successors) {
      if (rank_[static_cast<std::size_t>(to)] > rank_[static_cast<std::size_t>(block)]) continue;
      if (!dominates(to, block)) {
        throw Error("loop", fmt::format("of {} with two entries", function_.name),
                    "loops that are entered at one instruction");
      }
      latches[to].push_back(block);
      std::set<int>& body = bodies[to];
      body.insert(to);
      std::vector<int> reach{block};
      while (!reach.empty()) {
        const int one = reach.back();
        reach.pop_back();
        if (!body.insert(one).second) continue;
        for (const int before : blocks_[static_cast<std::size_t>(one)].predecessors)
          if (rank_[static_cast<std::size_t>(before)] >= 0) reach.push_back(before);
      }
    }
  }
  for (const auto& [header, body] : bodies)
    loops_.push_back({header, {body.begin(), body.end()}, latches[header]});
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    for (std::size_t j = 0; j < loops_.size(); ++j) {
      if (i == j || !loops_[j].has(loops_[i].header)) continue;
      ++loops_[i].depth;
      int& parent = loops_[i].parent;
      if (parent < 0 ||
          loops_[j].blocks.size() < loops_[static_cast<std::size_t>(parent)].blocks.size())
        parent = static_cast<int>(j);
    }
  }
}

}  // namespace ito::cuda
