#pragma once

#include <string>
#include <string_view>

namespace ito {

/// Where a Plan runs. `cpu` is the float32 SIMD engine; `reference` the plain double-precision one
/// that defines the answers.
class Device {
 public:
  enum class Kind { cpu, reference };

  static Device cpu() { return Device(Kind::cpu); }
  static Device reference() { return Device(Kind::reference); }
  /// The fastest engine this build and machine have.
  static Device best() { return cpu(); }
  /// "auto", "cpu" or "reference". Throws ito::Error.
  static Device parse(std::string_view text);

  Kind kind() const { return kind_; }
  std::string name() const;
  bool operator==(const Device&) const = default;

 private:
  explicit Device(Kind kind) : kind_(kind) {}
  Kind kind_;
};

/// The vector instruction set the CPU engine picked on this machine: "avx512", "avx2" or "sse2".
/// The environment variable ITO_CPU_ISA asks for a lesser one.
std::string cpu_instruction_set();

}  // namespace ito
