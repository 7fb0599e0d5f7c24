// Package calendar tells which days exist, in the Gregorian calendar of ISO 8601, for the dates
// and times that records carry. Start with [Day]. It knows no zones and no present.
package calendar

// Day tells whether a day exists.
func Day(year, month, day int) bool {
	return year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= days(year, month)
}

// Clock tells whether a time of day exists. There is no leap second.
func Clock(hour, minute, second int) bool {
	return hour >= 0 && hour < 24 && minute >= 0 && minute < 60 && second >= 0 && second < 60
}

func days(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}
