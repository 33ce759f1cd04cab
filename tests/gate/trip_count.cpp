#include "gate/trip_count.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <set>
#include <string_view>
#include <utility>

namespace ito::cuda {
namespace {

bool is_predicate(std::string_view operand) {
  if (operand.starts_with('U')) operand.remove_prefix(1);
  return operand.size() == 2 && operand[0] == 'P';
}

/// Registers that follow each other from the first one on, of which an instruction writes the
/// result.
int result_registers(const SassInstruction& one) {
  const auto has = [&](std::string_view part) {
    return one.opcode.find(part) != std::string::npos;
  };
  if (one.mnemonic() == "HGMMA") return 128;
  if (has(".128") || one.mnemonic() == "HMMA" || has("88.4")) return 4;
  const bool two = has(".64") || has(".WIDE") || has("88.2") || one.mnemonic().starts_with("D") ||
                   (one.mnemonic() == "CS2R" && !has(".32"));
  return two ? 2 : 1;
}

/// Whether an instruction writes a register or predicate. Its results come first: one, or a
/// predicate and another, or a sum and its carry.
bool writes(const SassInstruction& one, const std::string& reg) {
  static const std::set<std::string_view> without{
      "STS",  "STG", "STL",  "ST",  "STSM", "RED",   "REDG",  "BRA",
      "BSSY", "BAR", "EXIT", "RET", "CALL", "BREAK", "BSYNC", "WARPSYNC"};
  const auto& x = one.operands;
  if (x.empty() || without.contains(one.mnemonic())) return false;
  const bool two = x.size() > 1 && (is_predicate(x[0]) || is_predicate(x[1]));
  if (x[0] == reg || (two && x[1] == reg)) return true;
  const auto split = [](const std::string& name) -> std::pair<std::string, int> {
    const std::size_t digit = name.find_first_of("0123456789");
    if (digit == std::string::npos || is_predicate(name)) return {name, -1};
    return {name.substr(0, digit), std::atoi(name.c_str() + digit)};
  };
  const auto [bank, from] = split(x[0]);
  const auto [other, at] = split(reg);
  return bank == other && from >= 0 && at >= from && at < from + result_registers(one);
}

std::optional<int> immediate(const std::string& text) {
  if (text == "RZ" || text == "URZ" || text == "SRZ") return 0;
  const bool negative = text.starts_with('-');
  const std::size_t from = negative ? 1 : 0;
  const bool hex = text.compare(from, 2, "0x") == 0;
  const char* begin = text.data() + from + (hex ? 2 : 0);
  const char* end = text.data() + text.size();
  unsigned value = 0;
  if (begin == end || std::from_chars(begin, end, value, hex ? 16 : 10).ptr != end) return {};
  return static_cast<int>(negative ? 0u - value : value);
}

/// The bits of a half that is printed as a decimal fraction.
std::optional<unsigned> half_bits(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (end == text.c_str() || *end != '\0') return {};
  const unsigned sign = std::signbit(value) ? 0x8000u : 0u;
  const double size = std::abs(value);
  if (size < 0x1p-14) return sign | static_cast<unsigned>(size * 0x1p24);
  const int exponent = std::ilogb(size);
  const auto significand = static_cast<unsigned>(std::ldexp(size, 10 - exponent));
  return sign | ((static_cast<unsigned>(exponent + 14) << 10) + significand);
}

/// What an instruction writes as a register plus a number, if it is that.
std::optional<Affine> affine(const SassInstruction& one) {
  if (!one.guard.empty()) return {};
  auto x = one.operands;
  // sm_100 and later name the carries of a sum, which are not used here.
  if ((one.opcode == "IADD3" || one.opcode == "UIADD3") && x.size() == 6)
    x.erase(x.begin() + 1, x.begin() + 3);
  const auto sum = [](const std::string& a, const std::string& b) -> std::optional<Affine> {
    const auto left = immediate(a), right = immediate(b);
    if (left && right) return Affine{"RZ", *left + *right};
    if (right && !a.starts_with('-')) return Affine{a, *right};
    if (left && !b.starts_with('-')) return Affine{b, *left};
    return {};
  };
  const std::string_view name = one.mnemonic();
  if ((name == "MOV" || name == "UMOV" || name == "CS2R") && x.size() >= 2) return sum(x[1], "RZ");
  if (one.opcode.starts_with("IMAD.MOV") && x.size() == 4) return sum(x[3], "RZ");
  if (one.opcode == "IMAD.IADD" && x.size() == 4 && x[2] == "0x1") return sum(x[1], x[3]);
  if (name == "VIADD" && x.size() == 3) return sum(x[1], x[2]);
  if ((one.opcode == "IADD3" || one.opcode == "UIADD3") && x.size() == 4) {
    if (immediate(x[3]) == 0) return sum(x[1], x[2]);
    if (immediate(x[2]) == 0) return sum(x[1], x[3]);
    if (immediate(x[1]) == 0) return sum(x[2], x[3]);
    return {};
  }
  if (name == "HFMA2" && x.size() == 5 && immediate(x[1]).value_or(x[1] == "-RZ" ? 0 : 1) == 0) {
    const auto high = half_bits(x[3]), low = half_bits(x[4]);
    if (high && low) return Affine{"RZ", static_cast<int>((*high << 16) + *low)};
  }
  return {};
}

bool compare(const std::string& opcode, int a, int b) {
  const bool is_unsigned = opcode.find(".U32") != std::string::npos;
  const auto order = is_unsigned ? static_cast<unsigned>(a) <=> static_cast<unsigned>(b) : a <=> b;
  const auto has = [&](std::string_view part) { return opcode.find(part) != std::string::npos; };
  if (has(".NE.")) return order != 0;
  if (has(".EQ.")) return order == 0;
  if (has(".LT.")) return order < 0;
  if (has(".LE.")) return order <= 0;
  if (has(".GT.")) return order > 0;
  return order >= 0;
}

/// What [U]PLOP3 writes to its first predicate where that is a constant ("PT" or "!PT") or a copy
/// of another. Its look-up table has a bit for each value of its three operands, of which the first
/// is the most significant.
std::optional<std::string> copied_predicate(const SassInstruction& one) {
  const auto& x = one.operands;
  if ((one.opcode != "PLOP3.LUT" && one.opcode != "UPLOP3.LUT") || !one.guard.empty() ||
      x.size() != 7)
    return {};
  const auto table = immediate(x[5]);
  if (!table) return {};
  std::string variable;
  unsigned index = 0, weight = 0;
  for (std::size_t i = 2; i < 5; ++i) {
    const unsigned bit = 4u >> (i - 2);
    if (x[i] == "PT" || x[i] == "UPT") {
      index |= bit;
    } else if (x[i] != "!PT" && x[i] != "!UPT") {
      if (!variable.empty() || x[i].starts_with('!')) return {};
      variable = x[i];
      weight = bit;
    }
  }
  const auto entry = [&](unsigned i) { return (static_cast<unsigned>(*table) >> i & 1u) != 0; };
  const bool low = entry(index), high = entry(index | weight);
  if (low == high) return low ? "PT" : "!PT";
  return (low ? "!" : "") + variable;
}

}  // namespace

std::optional<std::size_t> TripCounter::definition(const std::string& reg, std::size_t before,
                                                   const Loop& loop, bool inside) const {
  const auto writes_it = [&](std::size_t i) { return writes(flow_.function().code[i], reg); };
  for (int block = flow_.block_of(before - 1); block >= 0;
       block = flow_.blocks()[static_cast<std::size_t>(block)].dominator) {
    if (loop.has(block) != inside) {
      if (inside) return {};
      continue;
    }
    const BasicBlock& one = flow_.blocks()[static_cast<std::size_t>(block)];
    for (std::size_t i = std::min(one.end, before); i-- > one.begin;) {
      if (!writes_it(i)) continue;
      // Blocks between that do not dominate.
      for (std::size_t j = i + 1; j < before; ++j)
        if (writes_it(j) && loop.has(flow_.block_of(j)) == inside) return {};
      return i;
    }
  }
  return {};
}

std::optional<Affine> TripCounter::value(Affine sum, std::size_t before, const Loop& loop,
                                         bool inside) const {
  constexpr int longest_chain = 8;
  for (int copies = 0; copies < longest_chain && sum.source != "RZ"; ++copies) {
    const auto at = definition(sum.source, before, loop, inside);
    if (!at) return inside ? std::optional(sum) : std::nullopt;
    const auto step = affine(flow_.function().code[*at]);
    if (!step) return {};
    sum = {step->source, sum.plus + step->plus};
    before = *at;
  }
  return sum;
}

bool TripCounter::runs_twice(const Loop& loop, const SassInstruction& test, bool negated) const {
  const auto flag = copied_predicate(test);
  if (!flag || *flag == "PT" || *flag == "!PT" || flag->starts_with('!')) return false;
  const auto set_to = [&](std::size_t before, bool inside) -> std::string {
    const auto at = definition(*flag, before, loop, inside);
    return at ? copied_predicate(flow_.function().code[*at]).value_or("") : "";
  };
  const std::string first =
      set_to(flow_.blocks()[static_cast<std::size_t>(loop.header)].begin, false);
  const std::string then =
      set_to(flow_.blocks()[static_cast<std::size_t>(loop.latches[0])].end, true);
  return first == (negated ? "!PT" : "PT") && then == (negated ? "PT" : "!PT");
}

bool TripCounter::Counter::outcome(int iteration) const {
  return compare(opcode, first_tested + (iteration - 1) * step, bound);
}

template <class Condition>
std::optional<int> TripCounter::Counter::first(const Condition& condition) const {
  for (int n = 1; n <= most; ++n)
    if (condition(outcome(n))) return n;
  return {};
}

std::optional<TripCounter::Counter> TripCounter::counter_of(const Loop& loop,
                                                            std::size_t test_at) const {
  const SassInstruction& test = flow_.function().code[test_at];
  const bool compares = test.mnemonic() == "ISETP" || test.mnemonic() == "UISETP";
  if (!compares || test.operands.size() != 5 || !test.guard.empty()) return {};
  const auto bound = immediate(test.operands[3]);
  const auto tested = value({test.operands[2], 0}, test_at, loop, true);
  if (!bound || !tested) return {};
  const std::size_t end = flow_.blocks()[static_cast<std::size_t>(loop.latches[0])].end;
  const auto next = value({tested->source, 0}, end, loop, true);
  const auto start =
      value({tested->source, 0}, flow_.blocks()[static_cast<std::size_t>(loop.header)].begin, loop,
            false);
  if (!next || !start) return {};
  const int first = start->plus + tested->plus;
  // What is a number after the first iteration stays that number: two iterations or no end.
  if (next->source == "RZ") return Counter{test.opcode, first, next->plus - start->plus, *bound, 2};
  if (next->source != tested->source || next->plus == 0) return {};
  return Counter{test.opcode, first, next->plus, *bound, 1 << 20};
}

std::optional<int> TripCounter::trips(const Loop& loop) const {
  if (loop.latches.size() != 1) return {};
  // The one branch that leaves.
  int leaving = -1;
  for (const int block : loop.blocks) {
    for (const int to : flow_.blocks()[static_cast<std::size_t>(block)].successors) {
      if (loop.has(to)) continue;
      if (leaving >= 0) return {};
      leaving = block;
    }
  }
  if (leaving < 0) return {};
  const std::size_t branch_at = flow_.blocks()[static_cast<std::size_t>(leaving)].end - 1;
  const SassInstruction& branch = flow_.function().code[branch_at];
  if (!flow_.branches(branch) || branch.guard.empty() == (branch.operands.size() == 1)) return {};
  const std::string condition = branch.guard.empty() ? branch.operands[0] : branch.guard;
  const bool negated = condition.starts_with('!');
  const bool stays_where_taken = loop.has(flow_.block_of(flow_.label(branch)));

  const auto test_at = definition(condition.substr(negated ? 1 : 0), branch_at, loop, true);
  if (!test_at) return {};
  const SassInstruction& test = flow_.function().code[*test_at];
  if (runs_twice(loop, test, negated == stays_where_taken)) return 2;
  if (const auto counter = counter_of(loop, *test_at)) {
    return counter->first([&](bool taken) { return (taken != negated) != stays_where_taken; });
  }
  // Where predicates are short, the outcome is kept in a register: there is one test of a counter,
  // and the first iteration is not the last.
  std::vector<Counter> counters;
  for (const int inside : loop.blocks) {
    const BasicBlock& one = flow_.blocks()[static_cast<std::size_t>(inside)];
    for (std::size_t i = one.begin; i < one.end; ++i)
      if (const auto counter = counter_of(loop, i)) counters.push_back(*counter);
  }
  if (counters.size() != 1 || test.mnemonic() == "ISETP" || test.mnemonic() == "UISETP") return {};
  const bool stays = counters[0].outcome(1);
  return counters[0].first([&](bool outcome) { return outcome != stays; });
}

}  // namespace ito::cuda
