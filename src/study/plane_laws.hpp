#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <ito/dataset.hpp>

namespace ito::lab::study {

/// Laws in the plane that are known by samples: "two moons", "rings", "checkerboard", "8
/// Gaussians", all within about [−4, 4]².
const std::vector<std::string>& plane_laws();

/// `count` draws; row i is a function of (seed, i).
Dataset draw_plane_law(const std::string& law, std::size_t count, std::uint64_t seed);

/// Energy distance √(2 E|X − Y| − E|X − X'| − E|Y − Y'|) between the laws behind two sets of points
/// in the plane [n, 2] (Székely & Rizzo 2013), from unbiased means; 0 where noise makes the square
/// negative.
double energy_distance(std::span<const float> a, std::span<const float> b);

}  // namespace ito::lab::study
