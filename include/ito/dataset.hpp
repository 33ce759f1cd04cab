#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <ito/latent_model.hpp>

namespace ito {

/// Observations y: N sequences of T observation times of D numbers.
struct Dataset {
  std::size_t count = 0;      ///< N
  std::size_t times = 1;      ///< T
  std::size_t dimension = 0;  ///< D
  std::vector<float> values;  ///< [N, T, D]

  std::span<const float> row(std::size_t i) const {
    return std::span(values).subspan(i * times * dimension, times * dimension);
  }
  /// Rows [begin, end). Throws ito::Error unless begin ≤ end ≤ N.
  Dataset slice(std::size_t begin, std::size_t end) const;
};

/// Reads a .csv (an optional header row; a column named `label` is left out; a row is one y, its
/// T·D numbers time by time) or a .npy ([N, D] or [N, T, D]; f4, f8, i4, i8, u1). Throws ito::Error
/// naming the file, line and column on ragged rows, text, NaN or infinities, and on an empty file.
Dataset read_dataset(const std::filesystem::path& file, std::size_t times = 1);

/// Checks that `data` fits the model: T = number of save steps, D = observed, values in the
/// likelihood's range. Throws ito::Error naming the first offending row and column, counted from 1,
/// its value and what is accepted.
void check_dataset(const Dataset& data, const LatentModel& latent);

/// Writes [rows, columns] numbers as CSV with a header, aside and renamed into place. Throws
/// ito::Error where the file cannot be written or the numbers do not fill rows of the header.
void write_csv(const std::filesystem::path& file, const std::vector<std::string>& header,
               std::span<const float> values);

}  // namespace ito
