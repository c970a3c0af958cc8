"""How far countries are from each other at the least: their middles, and how far land goes from there.

Middles to about a degree; the reach (km) is that of a circle around it which holds nearly all people. Countries that
are not here are near everything: nothing is said of them.
"""

import math

Spot = tuple[float, float]  # latitude, longitude

_REACH = 250  # km, of a country without a figure of its own
_EARTH = 6371.0

# Code, latitude, longitude, and the reach of those that are large.
_TABLE = """
AD 42.5 1.5; AE 24 54 300; AF 34 66 600; AG 17 -62; AI 18 -63; AL 41 20; AM 40 45; AO -12 18 800; AR -35 -64
1900; AS -14 -171; AT 47.5 14 300; AU -27 134 2300; AW 12.5 -70; AX 60 20; AZ 40.5 47.5; BA 44 18; BB 13 -59.5;
BD 24 90 350; BE 51 4; BF 13 -2 400; BG 43 25; BH 26 50.5; BI -3.5 30; BJ 9.5 2 350; BM 32.3 -64.8; BN 4.5
114.7; BO -17 -65 700; BQ 12.2 -68.3 900; BR -10 -55 2300; BS 24 -76 400; BT 27.5 90.5; BW -22 24 500; BY 53 28
350; BZ 17 -88.7; CA 56 -96 2900; CD -3 23 1200; CF 7 21 600; CG -1 15.5 500; CH 47 8; CI 7.5 -5.5 400; CK -21
-160; CL -33 -71 2300; CM 5.5 12.5 600; CN 34 106 2300; CO 4 -73 800; CR 10 -84; CU 22 -79 600; CV 16 -24; CW
12.2 -69; CY 35 33; CZ 49.8 15.5 300; DE 51 10 450; DJ 11.5 43; DK 56 10 300; DM 15.4 -61.4; DO 19 -70.7; DZ 33
3 900; EC -1.5 -78.5 1100; EE 59 26; EG 27 30 600; ER 15.5 39 400; ES 40 -4 1600; ET 9 39.5 700; FI 63 26 600;
FJ -18 178 300; FK -51.7 -59; FM 7 152 1300; FO 62 -7; FR 46.5 2.5 650; GA -0.6 11.7 350; GB 54 -2.5 650; GD
12.1 -61.7; GE 42 43.5; GF 4 -53; GG 49.5 -2.5; GH 8 -1.2 400; GI 36.1 -5.3; GL 65 -50 1300; GM 13.5 -15.5; GN
10.5 -11 450; GP 16.2 -61.6; GQ 2 10 400; GR 38.5 23.5 500; GT 15.5 -90.3; GU 13.5 144.8; GW 12 -15; GY 5 -59
400; HK 22.3 114.2; HN 15 -86.5 350; HR 45 16 300; HT 19 -72.5; HU 47.2 19.4 300; ID -3 117 2700; IE 53.3 -8; IL
31.5 35; IM 54.2 -4.5; IN 22 79 1700; IQ 33 44 550; IR 32.5 54 1000; IS 65 -18 300; IT 42.5 12.5 750; JE 49.2
-2.1; JM 18.1 -77.3; JO 31 36.5 300; JP 36 138 1700; KE 0.5 38 550; KG 41.5 75 500; KH 12.6 105 350; KI 1.4 173
3500; KM -12 43.8; KN 17.3 -62.7; KP 40 127 400; KR 36.3 127.8 350; KW 29.5 47.7; KY 19.4 -81; KZ 48 67 1600; LA
18.5 104 600; LB 34 36; LC 13.9 -61; LI 47.1 9.5; LK 7.5 80.7 300; LR 6.5 -9.5; LS -29.5 28.3; LT 55.3 24; LU
49.8 6.1; LV 57 25; LY 29 17 1000; MA 32 -6 900; MC 43.7 7.4; MD 47 28.8; ME 42.8 19.3; MF 18.1 -63; MG -19 46.5
900; MH 8 170 900; MK 41.6 21.7; ML 15 -5 1100; MM 20 96.5 1000; MN 46.5 104 1200; MO 22.2 113.5; MP 15.5 145.7
400; MQ 14.6 -61; MR 19 -12 800; MS 16.7 -62.2; MT 35.9 14.4; MU -20.2 57.5 700; MV 3.5 73.3 500; MW -13.5 34.2
450; MX 23 -102 1700; MY 4 109 1200; MZ -18 36 1200; NA -22 17 750; NC -21.3 165.5; NE 16 9 900; NF -29 168; NG
9.5 8 750; NI 13 -85 300; NL 52.2 5.5; NO 64 11 1100; NP 28.2 84 500; NR -0.5 167; NU -19 -170; NZ -41 173 1000;
OM 21 56.5 600; PA 8.5 -80 350; PE -9.5 -75.5 1100; PF -17.5 -149.5 1500; PG -6.5 146 1000; PH 12 122 1000; PK
30 70 1000; PL 52 19.5 400; PM 46.9 -56.3; PR 18.2 -66.4; PS 32 35.2; PT 39 -10 1700; PW 7.4 134.5; PY -23.3 -58
500; QA 25.3 51.2; RE -21.1 55.5; RO 46 25 400; RS 44 21 300; RU 57 60 5500; RW -2 30; SA 24 45 1200; SB -9 160
700; SC -5 55.5 700; SD 15.5 30 900; SE 61 16 850; SG 1.35 103.8; SI 46.1 14.8; SK 48.7 19.6; SL 8.5 -11.8; SM
43.9 12.5; SN 14.4 -14.5 350; SO 5.5 46 900; SR 4 -56; SS 7.5 30 600; ST 0.5 6.7; SV 13.7 -88.9; SX 18 -63; SY
35 38.3 400; SZ -26.5 31.5; TC 21.8 -71.8; TD 15 19 900; TG 8.5 1; TH 14 101 900; TJ 38.7 71 400; TL -8.8 125.9;
TM 39.5 59.5 600; TN 34.5 9.5 400; TO -20 -175 400; TR 39 35 850; TT 10.5 -61.3; TV -8 179 400; TW 23.7 121; TZ
-6.3 35 650; UA 49 31.5 700; UG 1.3 32.5 300; US 39 -98 2900; UY -33 -56 350; UZ 41.5 64.5 800; VA 41.9 12.5; VC
13.2 -61.2; VE 8 -66 800; VG 18.4 -64.6; VI 18.3 -64.9; VN 16 107.5 900; VU -16 167.5 500; WF -13.5 -177; WS
-13.7 -172; XK 42.6 20.9; YE 15.5 47.5 700; YT -12.8 45.1; ZA -29 25 900; ZM -14 28 700; ZW -19 29.8 400
"""


def _read() -> dict[str, tuple[float, float, float]]:
    found = {}
    for entry in _TABLE.replace("\n", " ").split(";"):
        code, latitude, longitude, *reach = entry.split()
        found[code] = (float(latitude), float(longitude), float(reach[0]) if reach else _REACH)
    return found


COUNTRIES = _read()


def distance(one: str, other: str, one_spot: Spot | None = None, other_spot: Spot | None = None) -> float:
    """Kilometres that are between two countries at the least; 0 when they may touch, or one is unknown.

    Where a database names a spot, that is held against the reach of a country all the same: such spots are guesses.
    """
    if one == other or one not in COUNTRIES or other not in COUNTRIES:
        return 0.0
    here, there = COUNTRIES[one], COUNTRIES[other]
    apart = great_circle(here[:2], there[:2]) - here[2] - there[2]
    if one_spot and other_spot:
        apart = max(apart, great_circle(one_spot, other_spot) - 2 * _REACH)
    return max(0.0, apart)


def great_circle(one: Spot, other: Spot) -> float:
    """Kilometres between two spots."""
    (here, east), (there, west) = (tuple(map(math.radians, spot)) for spot in (one, other))
    half = math.sin((there - here) / 2) ** 2 + math.cos(here) * math.cos(there) * math.sin((west - east) / 2) ** 2
    return 2 * _EARTH * math.asin(min(1.0, math.sqrt(half)))
