#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace ito::cuda {

/// What executes an instruction of sm_80 and later. `other`: the uniform datapath, constants, NOP.
enum class PipeKind {
  tensor,
  special,
  fma,
  alu,
  conversion,
  shared,
  global,
  shuffle,
  barrier,
  branch,
  other
};
inline constexpr std::size_t pipe_kind_count = 11;
std::string_view name(PipeKind kind);

/// One line of nvdisasm.
struct SassInstruction {
  int address = 0;                      ///< bytes from the beginning of the section
  std::string guard;                    ///< "P0" or "!P0" of `@!P0`, or empty
  std::string opcode;                   ///< "IMAD.MOV.U32"
  std::vector<std::string> operands{};  ///< without `.reuse`
  std::string target{};                 ///< the label in `(…), if there is one

  /// "IMAD" of "IMAD.MOV.U32".
  std::string_view mnemonic() const;
  PipeKind kind() const;
  /// Multiply-adds of a warp on the tensor cores: 2048 of HMMA.16816, and of wgmma, whose four
  /// warps share the work, a quarter.
  double tensor_fmas() const;
  bool of_warpgroup() const;  ///< wgmma
  bool has_tf32() const;      ///< factors at half the rate of 16-bit ones
};

/// The code of a kernel, with the routines that the compiler has put behind it.
struct SassFunction {
  std::string name;
  std::vector<SassInstruction> code;
  std::unordered_map<std::string, std::size_t> labels;  ///< → index of an instruction
  std::size_t own = 0;  ///< instructions before the first of those routines

  std::size_t code_bytes() const { return 16 * code.size(); }
};

/// Reads what `nvdisasm -c` prints of a cubin. Throws ito::Error where a line of code is none.
std::vector<SassFunction> read_sass(std::string_view text);

}  // namespace ito::cuda
