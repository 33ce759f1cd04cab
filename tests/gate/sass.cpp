#include "gate/sass.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <initializer_list>

#include <ito/error.hpp>

namespace ito::cuda {
namespace {

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

struct KindRow {
  PipeKind kind;
  const char* name;
  std::initializer_list<std::string_view> mnemonics;
};
const KindRow kind_table[]{
    {PipeKind::tensor,
     "tensor",
     {"HMMA", "HGMMA", "IMMA", "IGMMA", "QGMMA", "DMMA", "BMMA", "OMMA", "QMMA", "UTCHMMA",
      "UTCQMMA"}},
    {PipeKind::special, "MUFU", {"MUFU"}},
    {PipeKind::fma,
     "FMA",
     {"FFMA", "FFMA2", "FADD", "FADD2", "FMUL", "FMUL2", "FSWZADD", "HFMA2", "HADD2", "HMUL2",
      "IMAD", "IDP", "DFMA", "DADD", "DMUL"}},
    {PipeKind::alu, "ALU", {"IADD",    "IADD3",  "VIADD",  "VIADDMNMX", "LOP3",   "PLOP3", "ISETP",
                            "FSETP",   "DSETP",  "HSETP2", "FMNMX",     "FMNMX3", "IMNMX", "VIMNMX",
                            "VIMNMX3", "HMNMX2", "VHMNMX", "SEL",       "FSEL",   "SHF",   "PRMT",
                            "MOV",     "MOVM",   "LEA",    "F2FP",      "FCHK",   "I2FP",  "IABS",
                            "FLO",     "POPC",   "BREV",   "P2R",       "R2P",    "SGXT",  "BMSK",
                            "FSET",    "LOP",    "SHL",    "SHR"}},
    {PipeKind::conversion, "conversion", {"F2F", "F2I", "I2F", "FRND"}},
    {PipeKind::shared, "shared", {"LDS", "STS", "LDSM", "STSM", "ATOMS"}},
    {PipeKind::global,
     "global",
     {"LDG", "STG", "LDL", "STL", "LD", "ST", "ATOM", "ATOMG", "RED", "REDG", "LDGSTS", "UBLKCP",
      "UTMALDG", "UTMASTG", "CCTL"}},
    {PipeKind::shuffle, "shuffle", {"SHFL", "VOTE", "VOTEU", "REDUX", "MATCH"}},
    {PipeKind::barrier,
     "barrier",
     {"BAR", "WARPSYNC", "NANOSLEEP", "DEPBAR", "LDGDEPBAR", "SYNCS", "MEMBAR", "FENCE", "ERRBAR",
      "WARPGROUP", "ELECT", "UCGABAR_ARV", "UCGABAR_WAIT"}},
    {PipeKind::branch,
     "branch",
     {"BRA", "BRX", "JMP", "JMX", "BSSY", "BSYNC", "BREAK", "BMOV", "CALL", "RET", "EXIT", "KILL",
      "BPT", "RPCMOV", "LEPC"}},
    {PipeKind::other, "other", {}},
};

/// "/*0070*/ @P0 BRA `(.L_x_1) ;"
SassInstruction read_instruction(std::string_view line) {
  const auto fail = [&] {
    throw Error("sass", std::string(line), "a line such as /*0070*/ @P0 BRA `(.L_x_1) ;");
  };
  SassInstruction out;
  const std::size_t close = line.find("*/"), end = line.find(';');
  if (close == std::string_view::npos || end == std::string_view::npos || end < close) fail();
  if (std::from_chars(line.data() + 2, line.data() + close, out.address, 16).ptr !=
      line.data() + close)
    fail();
  std::string_view rest = trimmed(line.substr(close + 2, end - close - 2));
  const auto word = [&] {
    const std::string_view first = rest.substr(0, rest.find_first_of(" \t"));
    rest = trimmed(rest.substr(first.size()));
    return first;
  };
  if (rest.starts_with('@')) out.guard = word().substr(1);
  out.opcode = word();
  if (out.opcode.empty()) fail();
  const std::size_t label = rest.find("`(");
  if (label != std::string_view::npos)
    out.target = rest.substr(label + 2, rest.find(')', label) - label - 2);
  while (!rest.empty()) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    std::string operand(trimmed(rest.substr(0, comma)));
    const std::size_t reuse = operand.find(".reuse");
    if (reuse != std::string::npos) operand.erase(reuse, 6);
    out.operands.push_back(std::move(operand));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return out;
}

}  // namespace

std::string_view name(PipeKind kind) { return kind_table[static_cast<std::size_t>(kind)].name; }

std::string_view SassInstruction::mnemonic() const {
  return std::string_view(opcode).substr(0, opcode.find('.'));
}

PipeKind SassInstruction::kind() const {
  static const auto kinds = [] {
    std::unordered_map<std::string_view, PipeKind> out;
    for (const KindRow& row : kind_table)
      for (const std::string_view one : row.mnemonics) out.emplace(one, row.kind);
    return out;
  }();
  const auto found = kinds.find(mnemonic());
  return found == kinds.end() ? PipeKind::other : found->second;
}

bool SassInstruction::of_warpgroup() const { return mnemonic() == "HGMMA"; }

bool SassInstruction::has_tf32() const { return opcode.ends_with(".TF32"); }

double SassInstruction::tensor_fmas() const {
  if (kind() != PipeKind::tensor) return 0;
  const std::size_t begin = opcode.find_first_of("0123456789");
  const std::string shape = opcode.substr(begin, opcode.find('.', begin) - begin);
  static const std::unordered_map<std::string, double> sizes{
      {"16816", 16 * 8 * 16}, {"1688", 16 * 8 * 8}, {"1684", 16 * 8 * 4},
      {"16832", 16 * 8 * 32}, {"8x8x4", 8 * 8 * 4}, {"884", 8 * 8 * 4}};
  if (const auto found = sizes.find(shape); found != sizes.end()) return found->second;
  int m = 0, n = 0, k = 0;
  if (std::sscanf(shape.c_str(), "%dx%dx%d", &m, &n, &k) != 3)
    throw Error("sass", opcode, "a tensor instruction whose shape is known here");
  return m * n * k / 4.0;
}

std::vector<SassFunction> read_sass(std::string_view text) {
  std::vector<SassFunction> functions;
  bool in_code = false;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = trimmed(text.substr(begin, end - begin));
    begin = end + 1;
    constexpr std::string_view code_section = ".text.";
    if (line.starts_with(".section\t") || line.starts_with(".section ")) {
      const std::string_view section = trimmed(line.substr(8));
      in_code = section.starts_with(code_section);
      if (in_code) {
        const std::size_t comma = std::min(section.find(','), section.size());
        functions.emplace_back().name =
            section.substr(code_section.size(), comma - code_section.size());
      }
      continue;
    }
    if (!in_code) continue;
    SassFunction& function = functions.back();
    if (line.starts_with("/*")) {
      function.code.push_back(read_instruction(line));
    } else if (line.ends_with(':')) {
      function.labels.emplace(line.substr(0, line.size() - 1), function.code.size());
    }
  }
  for (SassFunction& function : functions) {
    function.own = function.code.size();
    for (const auto& [label, at] : function.labels) {
      // Routines of the compiler are named $__internal_…
      if (label.starts_with('$')) function.own = std::min(function.own, at);
    }
  }
  return functions;
}

}  // namespace ito::cuda
