#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <ito/error.hpp>
#include <ito/model.hpp>

// Checks of what comes from outside, as ito makes them itself: for methods built on a Plan. Each
// throws ito::Error with the field, its value and what is accepted.
#pragma GCC visibility push(default)
namespace ito {

template <class Real>
class BasicPlan;

/// Inclusive bounds of an integer field.
struct Range {
  int least = 0;
  int most = 0;
};
inline constexpr Range state_range{1, 1024};
inline constexpr Range steps_range{1, 10'000'000};
/// Of epochs, iterations, rows, samples and whatever else is counted: an int of any device holds
/// it.
inline constexpr std::size_t count_limit = 2'147'483'647;
/// Global indices of paths are below it, because the noise's counter is of 32 bits for 8 paths in
/// 16.
inline constexpr std::uint64_t path_limit = std::uint64_t{1} << 33;

void check_integer(const std::string& field, std::int64_t value, Range range);
/// Above 0, and finite as a float32 too, because engines and parameters hold float32.
void check_positive(const std::string& field, double value);
/// A vector that is empty or has `size` numbers, finite as float32.
void check_values(const std::string& field, const std::vector<double>& values, std::size_t size);
/// Hidden widths and functions of a net, whose output is `diffusion`'s, or not.
void check_net(const std::string& field, const Mlp& net, bool diffusion = false);
/// A std::function that is there.
template <class Function>
void check_function(const char* field, const Function& function) {
  if (!function) throw Error(field, "nothing", "a function");
}
/// From `least` to `most`.
void check_count(std::string_view field, std::uint64_t value, std::uint64_t least = 1,
                 std::uint64_t most = count_limit);
/// Parameters of which a model's `wanted` own ones come first.
void check_parameters(std::size_t got, std::size_t wanted, const char* field = "parameters");
/// Paths of a call.
void check_paths(std::string_view field, std::uint64_t paths, std::uint64_t least = 1);

/// What a call needs of the machine's memory, in bytes.
struct Holding {
  double results = 0;  ///< handed back, or written
  double beside = 0;   ///< held at the same time at the peak

  double peak() const { return results + beside; }
};
/// Refuses `field`, which asks for `count` things, before the machine starts to swap: where more is
/// to be held at a time than it has. `instead` says what to ask for.
void check_memory(std::string_view field, std::uint64_t count, Holding holding,
                  const char* instead);

/// The number of threads a request for `threads` means: 0 asks for OpenMP's own choice. Throws
/// where it is neither 0 nor a number of threads that machines have.
int thread_count(int threads);

/// A number of paths as the caller's user knows it.
struct PathCount {
  const char* field;     ///< the field's name
  std::size_t count;     ///< its value
  std::size_t each = 1;  ///< paths that one of them makes
};

/// Bytes of workspace to record those paths with `observations` rows of context, where the plan's
/// workspace_limit is none of the user's: throws ito::Error naming the field and the most of it
/// that the limit allows, not the limit.
template <class Real>
std::size_t workspace_for(const BasicPlan<Real>& plan, const PathCount& paths,
                          std::size_t observations);

}  // namespace ito
#pragma GCC visibility pop
