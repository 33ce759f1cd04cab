#pragma once

#include <cstddef>
#include <span>
#include <string>

#include <ito/series.hpp>

namespace ito {

/// What messages call a series: series "a".
std::string place_of(const Series& series);
/// And one of its times, counted from 1: series "a", time 3 of 5.
std::string place_of(const Series& series, std::size_t time);

/// Checks names of series or columns, each once. Throws ito::Error.
void check_different(const char* what, std::span<const std::string> names);

}  // namespace ito
